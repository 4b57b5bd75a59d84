"""An error that a user can cause is reported in one line; a defect keeps its traceback; the log holds both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from madad.cli import main as cli
from madad.configuration import settings
from madad.core.io.hdf5 import Maps
from tests.data.anomalies.conftest import GENERATOR
from tests.engine import toy

ROOT = Path(__file__).resolve().parents[2]
# Spark's patches fit into the toy packs; cDDPM learns so little that its encoder is recognisably Spark's.
SMALL = {
    "spark": {"parameters": {"encoder_stages": 2}},
    "cddpm": {"parameters": {"encoder_stages": 2}, "training": {"learning_rate": 1e-12}, "parts": {"pretraining": "spark"}},
}
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


def test_user_error_is_one_line_without_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.log"
    step = ["stage", "preprocess", "--manifest", "/no/manifest.tsv", "--shard", "0", "--shards", "1", "--folder", str(tmp_path)]
    status = cli.main([*step, "--options", "{}", "--table", str(tmp_path / "t.tsv"), "--log", str(log)])
    assert status == 1
    assert capsys.readouterr().err == "error: /no/manifest.tsv: no such file\n" == log.read_text()


def test_defect_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(arguments: object) -> None:
        raise ZeroDivisionError("a defect")

    broken.__name__ = "provenance"
    monkeypatch.setattr(cli.results, "provenance", broken)
    assert cli.main(["stage", "provenance", "--options", "{}", "--out", str(tmp_path / "p.json")]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("home", [True, False])
def test_compiled_code_has_a_place_without_a_home(home: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"HOME": str(tmp_path if home else tmp_path / "absent")})
    cli._find_place_for_compiled_code()
    assert ("NUMBA_CACHE_DIR" in os.environ) is not home


@pytest.mark.parametrize("called", [True, False])
def test_code_that_nobody_can_write_to_runs_without_a_home(called: bool, tmp_path: Path) -> None:
    """numba refuses to compile where it finds no place for its cache, here because only a named one counts."""
    surroundings = {**os.environ, "HOME": "/nonexistent", "TMPDIR": str(tmp_path)}
    surroundings.pop("NUMBA_CACHE_DIR", None)
    surroundings["NUMBA_CACHE_LOCATOR_CLASSES"] = "UserProvidedCacheLocator"
    place = "from madad.cli import main; main._find_place_for_compiled_code(); " if called else ""
    command = [sys.executable, "-c", f"{place}import madad.models.diffusion.noise"]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is called, done.stderr
    assert called or "no locator available" in done.stderr


def test_provenance_is_written(tmp_path: Path) -> None:
    assert cli.main(["stage", "provenance", "--options", '{"a": 1}', "--out", str(tmp_path / "p.json")]) == 0
    assert '"a": 1' in (tmp_path / "p.json").read_text()


@pytest.mark.parametrize(
    "command",
    ["download", "preprocess", "intensity", "pack", "implant", "train", "infer", "evaluate", "export", "cards"],
)
def test_every_step_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["stage", command, "--help"])
    assert caught.value.code == 0 and len(capsys.readouterr().out.splitlines()) > 5


def options(name: str, **method_options: dict) -> dict:
    """Options of a method for the command line: the smoke preset with other options for some entries."""
    default = yaml.safe_load((ROOT / "config.yaml").read_text())
    changed = {"preset": "smoke", "methods": ["mhd", "inpainting"], "method_options": {**SMALL, **method_options}}
    resolved = settings.resolve({**default, **changed})
    return {**resolved["methods"], **resolved["parts"]}[name]["options"]["FLAIR"]


def common(name: str, given_options: dict) -> list[str]:
    identity = ["--cohort", "toy", "--modality", "FLAIR", "--method", name, "--seed", "0"]
    return [*identity, "--options", json.dumps(given_options), "--device", "cpu", "--threads", "1"]


def model(folder: Path, name: str) -> Path:
    return folder / name / "model.safetensors"


def train(folder: Path, name: str, given_options: dict, *more: str | Path) -> int:
    """`madad train` on the packs of a folder, into a folder beside them."""
    packs = ["--train", folder / "train.h5", "--validation", folder / "validation.h5"]
    places = ["--run", folder / name, "--checkpoints", folder / "checkpoints" / name]
    return cli.main([str(argument) for argument in ["stage", "train", *common(name, given_options), *packs, *places, *more]])


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Spark, cDDPM that starts from it, and MHD on that, each trained by the command line."""
    folder = tmp_path_factory.mktemp("chain")
    toy.packs(folder)
    for name, parts in (("spark", []), ("cddpm", ["spark"]), ("mhd", ["cddpm"])):
        assert train(folder, name, options(name), "--parts", *(model(folder, part) for part in parts)) == 0
    return folder


def test_encoder_starts_from_the_weights_of_its_part(chain: Path) -> None:
    given, taken = load_file(model(chain, "spark")), load_file(model(chain, "cddpm"))
    names = [name for name in given if name.startswith("encoder.") and not name.endswith(STATISTICS)]
    assert len(names) > 10 and all(torch.allclose(given[name], taken[name], rtol=0, atol=1e-6) for name in names)


def test_model_holds_the_weights_of_its_part(chain: Path) -> None:
    part, whole = load_file(model(chain, "cddpm")), load_file(model(chain, "mhd"))
    assert whole.keys() == {f"model.{name}" for name in part}
    assert all(torch.equal(whole[f"model.{name}"], weight) for name, weight in part.items())


def test_record_names_the_models_of_its_parts(chain: Path) -> None:
    spark, cddpm, mhd = (json.loads((chain / name / "train.json").read_text()) for name in ("spark", "cddpm", "mhd"))
    assert cddpm["parts"] == {"pretraining": spark["fingerprint"]} and mhd["parts"] == {"model": cddpm["fingerprint"]}


def test_inference_needs_no_other_model(chain: Path, tmp_path: Path) -> None:
    alone = shutil.copy(model(chain, "mhd"), tmp_path / "alone.safetensors")
    files = ["--model", alone, "--packs", chain / "validation.h5", "--testset", "toy", "--out", tmp_path / "maps.h5"]
    assert cli.main([str(argument) for argument in ["stage", "infer", *common("mhd", options("mhd")), *files]]) == 0
    with Maps(tmp_path / "maps.h5") as maps:
        assert maps.anomaly_map(0).shape == toy.SHAPE and maps.anomaly_map(0).max() > 0


def test_weights_are_reused_under_another_name(chain: Path, tmp_path: Path) -> None:
    identity = ["--cohort", "toy", "--modality", "FLAIR", "--method", "late", "--seed", "0"]
    assert cli.main(["stage", "reuse", *identity, "--source", str(chain / "cddpm"), "--run", str(tmp_path / "late")]) == 0
    record = json.loads((tmp_path / "late/train.json").read_text())
    assert record["weights_from"] == "cddpm" and record["identity"]["method"] == "late"


def test_part_of_other_parameters_is_refused(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wider = {"parameters": {"encoder_stages": 2, "condition_channels": 12}}
    assert train(chain, "refused", options("mhd", cddpm=wider), "--parts", model(chain, "cddpm")) == 1
    said = capsys.readouterr().err
    assert f"error: {model(chain, 'cddpm')}: the model's parameters differ: condition_channels is 0, not 12" in said
    assert "Traceback" not in said and not (chain / "refused").exists()


def test_another_method_in_place_of_the_part_is_refused(chain: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(chain, "refused", options("mhd"), "--parts", model(chain, "spark")) == 1
    assert f"error: {model(chain, 'spark')}: the model's method is 'spark', not 'cddpm'" in capsys.readouterr().err


@pytest.mark.parametrize("given", [[], ["cddpm", "spark"]])
def test_parts_that_are_missing_or_too_many_are_named(chain: Path, given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert train(chain, "refused", options("mhd"), "--parts", *(model(chain, part) for part in given)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: --parts: {len(given)} models for the parts model") and "Traceback" not in said


def test_lesions_of_another_grid_are_refused(chain: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bank, generator = str(tmp_path / "bank.h5"), json.dumps({**GENERATOR, "grid": {"spacing_mm": 12.0}})
    made = cli.main(["stage", "bank", "--options", generator, "--out", bank, "--shard", "0", "--shards", "4"])
    assert made == 0
    assert train(chain, "inpainting", options("inpainting"), "--banks", bank) == 1
    said = capsys.readouterr().err
    assert f"error: {bank}: lesions on a grid of (16, 16, 16), {chain / 'train.h5'} has {toy.SHAPE}" in said
    assert "Traceback" not in said and not (chain / "inpainting").exists()
