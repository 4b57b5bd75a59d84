"""A model file says everything that a stranger needs, builds the same method, and is refused where it is damaged."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import torch

from madad.cli import main as cli
from madad.core.errors import UserError
from madad.core.io import model_archive
from madad.core.io.hdf5 import Pack
from madad.detection import model_building, model_export, model_import
from madad.engine.model_files import load_model, read_model
from madad.methods import registry
from tests.detection import finished_run
from tests.detection.finished_run import FinishedRun, about


def test_it_says_how_it_was_made_and_how_it_is_used(model: Path) -> None:
    known = about(model)
    assert known["build"] == {"base": "atlas_z", "parameters": {"tail": "both", "sd_floor": 0.05, "smoothing": 0.0}, "parts": {}}
    assert known["inference_parameters"] == ["sd_floor", "tail"]
    assert known["preprocessing"]["skull_strip"] == "none" and known["preprocessing"]["registration"] == "affine"
    assert known["grid"]["spacing_mm"] == 6.0 and known["grid"]["voxels"][::-1] == known["weights"]["image_shape"]
    assert known["intensity_model"] == {"method": "percentile", "lower": 1.0, "upper": 99.0}
    data = known["training_data"][0]
    assert (data["name"], data["train"]["subjects"], data["licence"]) == ("mine", 6, "the data set's own")
    assert known["code"]["commit"] == "c0ffee" and known["licence"] == "CC0" and "research use only" in known["intended_use"]


def test_thresholds_name_their_protocol_and_none_has_seen_test_labels(model: Path) -> None:
    known = about(model)
    assert {row["protocol"]: row["value"] for row in known["thresholds"]} == {"validation": 6.0, "healthy_fpr_1": 2.0}
    assert known["threshold"]["protocol"] == "validation" and known["threshold"]["testset"] == "mine"
    found = known["metrics"]["validation"]["mine"]
    assert found["dice"] == found["auprc"] == 1.0 and found["healthy"] == 1 and found["with_lesion"] == 2


def test_it_knows_how_the_training_images_look(model: Path) -> None:
    seen = about(model)["seen"]
    assert seen["brain_volume_ml"]["n"] == 6 and seen["brain_volume_ml"]["min"] == pytest.approx(1500)
    assert seen["mean_white"]["median"] > seen["mean_grey"]["median"] > seen["mean_fluid"]["median"]
    assert "coarsest_mm" not in seen, "the image files are gone"


def test_nothing_else_is_needed_to_build_the_method(model: Path, run: FinishedRun) -> None:
    method, _ = model_building.build(model)
    with Pack(run.validation) as pack:
        volume, brain = torch.from_numpy(pack.image(1))[:, None], torch.from_numpy(pack.brain(1))
        lesion = torch.from_numpy(pack.lesion(1))
    generator = torch.Generator()
    anomaly_map = method.anomaly_map(volume, method.reconstruct(volume, generator), brain, generator)
    assert anomaly_map[lesion].mean() > 3 * anomaly_map[brain & ~lesion].mean()


def test_equal_models_are_equal_files(model: Path, run: FinishedRun, tmp_path: Path) -> None:
    model_export.export(run.folder, tmp_path / "again.zip", licence="CC0")
    assert (tmp_path / "again.zip").read_bytes() == model.read_bytes()


def changed(model: Path, out: Path, **replaced: bytes) -> Path:
    """A copy in which members have other contents."""
    with zipfile.ZipFile(model) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, replaced.get(name.replace(".", "_"), old.read(name)))
    return out


def test_other_weights_than_described_are_refused(model: Path, tmp_path: Path) -> None:
    other = changed(model, tmp_path / "a.zip", model_safetensors=b"not the weights")
    with pytest.raises(UserError, match="its weights are not those"):
        model_building.build(other)


def test_what_is_no_model_is_refused_by_name(model: Path, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    zipfile.ZipFile(tmp_path / "empty.zip", "w").close()
    cases = {
        "none.zip": "no such file",
        "text.zip": "not a readable zip file",
        "empty.zip": "has no model.json",
        str(changed(model, tmp_path / "json.zip", model_json=b"{")): "is not JSON",
        str(changed(model, tmp_path / "other.zip", model_json=b"[]")): "describes no model of madad",
        str(changed(model, tmp_path / "new.zip", model_json=b'{"format": "madad model", "format_version": 9}')): "is of format 9",
        str(changed(model, tmp_path / "part.zip", model_json=b'{"format": "madad model", "format_version": 1}')): "lacks base",
    }
    for name, says in cases.items():
        with pytest.raises(UserError, match=says):
            model_archive.read_about(tmp_path / name)


def test_a_method_with_other_settings_is_refused_with_the_version_to_install(model: Path, tmp_path: Path) -> None:
    known = about(model)
    del known["build"]["parameters"]["smoothing"]
    other = changed(model, tmp_path / "a.zip", model_json=json.dumps(known).encode())
    with pytest.raises(UserError, match=r"other settings in this version of madad \(smoothing\); install commit c0ffee"):
        model_building.build(other)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda results: (results / "provenance.json").unlink(), "snakemake results/provenance.json"),
        (
            lambda results: shutil.rmtree(results / "intensity"),
            "1 file.* not there.*`madad run results/intensity/standard/T1w.json` with the options of the run",
        ),
        (
            lambda results: (shutil.rmtree(results / "packs"), shutil.rmtree(results / "quality")),
            "`madad run results/packs/mine/T1w/train.h5 results/packs/mine/T1w/validation.h5 results/quality/mine/standard.tsv`",
        ),
        (lambda results: _replace(results, '"smoothing": 0.0', '"smoothing": 1.0'), "has other hyper-parameters there"),
        (
            lambda results: _replace(results, '"registration": "affine"', '"registration": "none"'),
            "its images keep their own grids",
        ),
    ],
    ids=["no configuration", "no intensity model", "no packs and measures", "another configuration", "no template"],
)
def test_a_run_that_cannot_be_described_is_not_exported(run: FinishedRun, tmp_path: Path, spoil: object, says: str) -> None:
    shutil.copytree(run.results, tmp_path / "results")
    spoil(tmp_path / "results")
    copy = FinishedRun(tmp_path / "results")
    with pytest.raises(UserError, match=says):
        model_export.export(copy.folder, tmp_path / "model.zip")
    assert not (tmp_path / "model.zip").exists()


def test_code_that_nobody_can_install_is_told(run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(run.results, tmp_path / "results")
    record = FinishedRun(tmp_path / "results").folder / "train.json"
    record.write_text(record.read_text().replace("c0ffee", "unknown"))
    model_export.export(record.parent, tmp_path / "model.zip", licence="CC0")
    assert "the commit of the code that trained it is not known" in capsys.readouterr().err


def _replace(results: Path, old: str, new: str) -> None:
    path = results / "provenance.json"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_another_test_set_is_refused_if_it_has_no_thresholds(run: FinishedRun, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--testset: theirs has no thresholds"):
        model_export.export(run.folder, tmp_path / "model.zip", testset="theirs")


def test_an_import_takes_the_place_of_a_training(model: Path, run: FinishedRun, tmp_path: Path) -> None:
    place = tmp_path / "results/runs/theirs/T1w/renamed/seed3"
    model_import.into_run(model, place)
    assert {path.name for path in place.iterdir()} == {"model.safetensors", "train.json", "history.csv"}
    metadata, weights = read_model(place / "model.safetensors")
    assert (metadata["cohort"], metadata["method"], metadata["seed"]) == ("theirs", "renamed", 3)
    assert torch.equal(weights["mean"], read_model(run.folder / "model.safetensors")[1]["mean"])
    options = finished_run.configuration(tmp_path)["methods"]["atlas_z"]["options"]["T1w"]
    method = registry.assemble(options, 3)
    load_model(method, place / "model.safetensors", {"method": "renamed", "parameters": method.trained_with, "modality": "T1w"})
    told = json.loads((place / "train.json").read_text())
    assert told["imported_from"]["trained_on"] == "mine" and told["data"]["training"]["content"]
    with pytest.raises(UserError, match="holds a model already"):
        model_import.into_run(model, place)


def test_a_model_of_another_sequence_is_not_imported(model: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a run on FLAIR, but .* was trained on T1w"):
        model_import.into_run(model, tmp_path / "results/runs/theirs/FLAIR/x/seed0")
    with pytest.raises(UserError, match="is no folder of a run"):
        model_import.into_run(model, tmp_path)


def test_commands(model: Path, run: FinishedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["model", "export", str(run.folder), str(tmp_path / "a.zip")]) == 0
    said = capsys.readouterr()
    assert "no licence is stated" in said.err and "trained on: 6 healthy subjects of mine" in said.out
    assert cli.main(["model", "info", str(tmp_path / "a.zip")]) == 0
    assert "threshold: 6 (validation: " in capsys.readouterr().out
    assert cli.main(["model", "info", "--json", str(model)]) == 0
    assert json.loads(capsys.readouterr().out)["licence"] == "CC0"
    assert cli.main(["model", "import", str(model), str(tmp_path / "results/runs/a/T1w/b/seed1")]) == 0


def test_half_precision_takes_half_the_space_and_gives_the_same_map(model: Path, run: FinishedRun, tmp_path: Path) -> None:
    known = model_export.export(run.folder, tmp_path / "half.zip", licence="CC0", half=True)
    assert (known["weights"]["precision"], about(model)["weights"]["precision"]) == ("float16", "float32")
    assert known["weights"]["bytes"] < 0.6 * about(model)["weights"]["bytes"]
    with Pack(run.validation) as pack:
        volume, brain = torch.from_numpy(pack.image(1))[:, None], torch.from_numpy(pack.brain(1))
    maps = []
    for path in (model, tmp_path / "half.zip"):
        method, _ = model_building.build(path)
        assert all(tensor.dtype == torch.float32 for tensor in method.state_dict().values() if tensor.is_floating_point())
        maps.append(method.anomaly_map(volume, method.reconstruct(volume, torch.Generator()), brain, torch.Generator()))
    torch.testing.assert_close(maps[1], maps[0], atol=0.01, rtol=0.01)
