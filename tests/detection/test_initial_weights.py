"""Trainings start from model files and from bundled models, for methods and their parts alike, or say why they do not."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
import torch

from madad.configuration import initial_weights
from madad.core.errors import UserError
from madad.core.io import model_archive
from madad.detection import model_bundle
from madad.engine.model_files import read_model
from madad.workflow import startup
from tests.detection.short_trainings import Study, study

NO_STEPS = {name: {"training": {"steps": 0}} for name in ("ddpm", "ldm", "kl_autoencoder")}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trained models of a method, and of another one with the part that it works on."""
    made = study(tmp_path_factory.mktemp("zoo") / "results", seed=1000)
    for method in ("ddpm", "kl_autoencoder", "ldm"):
        assert made.train(method) == 0
    return made


@pytest.fixture(scope="module")
def files(zoo: Study) -> dict[str, Path]:
    """Bundled files of the models, by base."""
    paths = model_bundle.bundle(zoo.results, zoo.results.parent / "bundled")
    return {model_archive.read_start(path)["base"]: path for path in paths}


@pytest.fixture
def bundled(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The files in the place of those that come with the package."""
    monkeypatch.setattr(initial_weights, "FOLDER", files["ddpm"].parent)


def record(made: Study, method: str) -> dict:
    return json.loads((made.folder(method) / "train.json").read_text())


def weights(made: Study, method: str) -> dict[str, torch.Tensor]:
    return read_model(made.folder(method) / "model.safetensors")[1]


def history(made: Study, method: str) -> list[dict[str, str]]:
    with open(made.folder(method) / "history.csv", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.usefixtures("bundled")
def test_no_further_step_reproduces_the_weights_of_a_method_and_of_its_part(zoo: Study, tmp_path: Path) -> None:
    warm = study(tmp_path / "results", initial_weights="bundled", method_options=NO_STEPS)
    for method in ("ddpm", "kl_autoencoder", "ldm"):
        assert warm.train(method) == 0
        found, before = weights(warm, method), weights(zoo, method)
        assert found.keys() == before.keys()
        for name in found:
            if not name.endswith(("validated", "errors", "latent_moments")):
                torch.testing.assert_close(found[name], before[name], rtol=1e-3, atol=1e-4)
        assert record(warm, method)["initial_weights"]["source"] == "bundled"
        assert [row["step"] for row in history(warm, method)] == ["0"]


@pytest.mark.usefixtures("bundled")
def test_the_latent_scale_is_measured_on_the_own_images_under_the_weights_in_use(zoo: Study, tmp_path: Path) -> None:
    warm = study(tmp_path / "results", initial_weights="bundled", method_options=NO_STEPS)
    assert warm.train("kl_autoencoder") == 0 and warm.train("ldm") == 0
    own, other = (weights(made, "kl_autoencoder") for made in (warm, zoo))
    assert not torch.equal(own["latent_moments"], other["latent_moments"]), "the validation subjects are others"
    torch.testing.assert_close(own["latent_moments"], other["latent_moments"], rtol=0.2, atol=0.2)
    used = weights(warm, "ldm")
    assert all(torch.equal(used[f"latents.autoencoder.{name}"], value) for name, value in own.items())


@pytest.mark.usefixtures("bundled")
def test_the_weights_at_the_start_are_kept_where_training_only_makes_them_worse(zoo: Study, tmp_path: Path) -> None:
    worse = {"ddpm": {"training": {"steps": 2, "learning_rate": 1e-12, "validate_every": 1}}}
    warm = study(tmp_path / "results", initial_weights="bundled", method_options=worse, methods=["ddpm"])
    assert warm.train("ddpm") == 0
    assert [row["step"] for row in history(warm, "ddpm")] == ["0", "1", "2"]
    losses = [float(row["validation_loss"]) for row in history(warm, "ddpm")]
    cold = study(tmp_path / "cold", methods=["ddpm"], method_options=worse)
    assert cold.train("ddpm") == 0
    assert losses[0] < float(history(cold, "ddpm")[0]["validation_loss"])


def test_a_model_file_and_scratch_are_chosen_by_name(zoo: Study, files: dict[str, Path], tmp_path: Path) -> None:
    given = {"others": "none", "kl_autoencoder": str(files["kl_autoencoder"]), "ldm": str(files["ldm"])}
    warm = study(tmp_path / "results", initial_weights=given)
    for method in ("ddpm", "kl_autoencoder", "ldm"):
        assert warm.train(method) == 0
    assert record(warm, "ddpm")["initial_weights"] is None
    told = record(warm, "ldm")["initial_weights"]
    assert told["source"] == "file" and told["file"] == files["ldm"].name and told["steps"] == 6
    assert told["trained_on"]["kind"] == "phantom"


@pytest.mark.parametrize(
    ("given", "changes", "says"),
    [
        ({"mdpm": "none"}, {}, "no method is called 'mdpm', did you mean 'mddpm'?"),
        ({"ddpm": "gone.zip"}, {}, "initial_weights.ddpm: gone.zip: no such file"),
        ("bundeld", {}, "'bundeld' is neither none nor bundled, did you mean 'bundled'?"),
        ({"ddpm": 3}, {}, "write none, bundled, or a mapping such as {mddpm: model.zip}"),
        ({"ddpm": "{ldm}"}, {}, "is a model of ldm; name a model of ddpm"),
        (
            {"ddpm": "{ddpm}"},
            {"method_options": {"ddpm": {"parameters": {"base_channels": 32}}}},
            "base_channels is 32 in ddpm, but 16 in {ddpm}; set method_options.ddpm.parameters.base_channels to 16, or start",
        ),
        ({"ldm": "{ldm}"}, {}, "work on its own autoencoder, and kl_autoencoder does not start from that; name its file as well"),
        ({"intensity": "{ddpm}"}, {"methods": ["intensity", "ddpm"]}, "intensity is not trained, so that it has no weights"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_run(
    files: dict[str, Path], tmp_path: Path, given: object, changes: dict, says: str
) -> None:
    def filled(value: object) -> object:
        return value.format(**files) if isinstance(value, str) else value

    named = {name: filled(value) for name, value in given.items()} if isinstance(given, dict) else given
    with pytest.raises(UserError) as caught:
        study(tmp_path / "results", initial_weights=named, **changes)
    assert says.replace("{ddpm}", str(files["ddpm"])) in str(caught.value)


@pytest.mark.usefixtures("bundled")
@pytest.mark.parametrize(
    ("seed", "changes", "says"),
    [
        (0, {"method_options": {"ddpm": {"parameters": {"base_channels": 32}}}}, "base_channels is 16 there, and 32 here"),
        (0, {"method_options": {"ddpm": {"parameters": {"noise_kind": "gaussian"}}}}, "noise_kind is simplex there"),
        (0, {"pipelines": {"standard": {"spacing_mm": 4.0}}}, "spacing_mm is 5.0 there, and 4.0 here"),
        (0, {"methods": ["pddpm"]}, "there is none of pddpm for FLAIR"),
        (1000, {}, "phantoms of the same seed, 1000"),
    ],
)
def test_where_no_bundled_model_fits_training_starts_from_scratch_and_the_run_says_so(
    tmp_path: Path, seed: int, changes: dict, says: str
) -> None:
    method = changes.get("methods", ["ddpm"])[0]
    cold = study(tmp_path / "results", seed=seed, initial_weights="bundled", **{"methods": ["ddpm"], **changes})
    assert "initial_weights" not in json.loads(cold.options(method))
    _, lines = startup.first_lines(cold.plan)
    assert f"initial_weights: {method} / FLAIR / phantom starts from scratch" in lines and says in lines


@pytest.mark.usefixtures("bundled")
def test_a_method_on_another_part_than_its_own_starts_from_scratch(tmp_path: Path) -> None:
    cold = study(tmp_path / "results", initial_weights={"others": "bundled", "kl_autoencoder": "none"})
    assert "initial_weights" in json.loads(cold.options("ddpm")) and "initial_weights" not in json.loads(cold.options("ldm"))
    assert "kl_autoencoder does not start from the weights that it was trained on" in startup.first_lines(cold.plan)[1]


def test_content_decides_and_not_the_time_of_a_file(files: dict[str, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(files["ddpm"], tmp_path / "model.zip"))
    before = study(tmp_path / "results", initial_weights={"ddpm": str(copy)}).options("ddpm")
    copy.touch()
    assert study(tmp_path / "results", initial_weights={"ddpm": str(copy)}).options("ddpm") == before
    assert study(tmp_path / "results").options("ddpm") != before


def test_variants_that_differ_at_inference_alone_share_what_they_start_from(files: dict[str, Path], tmp_path: Path) -> None:
    options = {"late": {"base": "ddpm", "parameters": {"test_timesteps": [100]}}}
    given = {"methods": ["ddpm", "late"], "method_options": options}
    entries = study(tmp_path / "a", initial_weights={"ddpm": str(files["ddpm"])}, **given).plan.entries
    assert entries["late"]["weights_from"] == "ddpm"
    entries = study(tmp_path / "b", initial_weights={"ddpm": str(files["ddpm"]), "late": "none"}, **given).plan.entries
    assert entries["late"]["weights_from"] is None


def test_a_bundled_file_is_small_and_says_how_it_was_made(files: dict[str, Path], zoo: Study) -> None:
    about = model_archive.read_start(files["ldm"])
    assert about["weights"]["parts"] == {"autoencoder": record(zoo, "kl_autoencoder")["fingerprint"]}
    assert about["made"]["preset"] == "smoke" and about["made"]["losses"]["last"]["step"] == 6
    assert about["training_data"][0]["licence"] and about["licence"] == about["training_data"][0]["licence"]
    assert files["ldm"].stat().st_size < 0.6 * (zoo.folder("ldm") / "model.safetensors").stat().st_size
    with pytest.raises(UserError, match="holds weights to start a training from"):
        model_archive.read_about(files["ldm"])
