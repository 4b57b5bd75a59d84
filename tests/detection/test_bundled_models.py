"""The models that come with madad: small, loadable by today's code, and as good as on the day they were made."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from safetensors.torch import load
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from madad.configuration import initial_weights
from madad.core.io import model_archive
from madad.data.cohorts import soop
from madad.data.preprocessing.steps import intensity
from madad.detection import bundle_check
from madad.methods import registry

MODELS = {path.stem: path for path in initial_weights.bundled()}
# AUPRC, the mean over 12 of the embedded patients, of maps as they are; a change of more than the tolerance is one of the code.
SCORES = {
    "cddpm_soop_FLAIR": 0.2693,
    "conddiff_soop_FLAIR": 0.1031,
    "dae_soop_FLAIR": 0.3882,
    "ddpm_soop_FLAIR": 0.2745,
    "mad_ad_soop_FLAIR": 0.1465,
    "mddpm_soop_FLAIR": 0.2916,
    "pddpm_soop_FLAIR": 0.2483,
}
TOLERANCE = 0.02
PATIENTS = 12
LARGEST_MIB, LARGEST_TOGETHER_MIB = 3.0, 30.0


def test_models_are_there_and_small() -> None:
    sizes = [path.stat().st_size / 2**20 for path in MODELS.values()]
    assert sizes and max(sizes) <= LARGEST_MIB and sum(sizes) <= LARGEST_TOGETHER_MIB


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_says_what_it_was_trained_on_and_how(name: str) -> None:
    about = model_archive.read_start(MODELS[name])
    data, made = about["training_data"][0], about["made"]
    assert (data["kind"], data["licence"]) in {("soop", "CC0"), ("phantom", "none is needed")} and about["licence"] == "CC0"
    assert made["preset"] == "zoo" and made["cpu_hours"] > 0 and made["losses"]["last"]["loss"] > 0
    assert about["weights"]["steps"] >= 1000


def assembled(name: str) -> nn.Module:
    """Return a bundled method with its bundled weights, on the bundled autoencoder if it needs one."""

    def prepare(role: str, part: nn.Module) -> None:
        part.load_state_dict(stored("kl_autoencoder_soop_FLAIR"))

    about = model_archive.read_start(MODELS[name])
    method = registry.assemble(bundle_check.with_new_settings(about["build"], about["modality"]), 0, prepare)
    missing, strange = method.load_state_dict(stored(name), strict=False)
    assert not strange and all(".autoencoder." in f".{key}" for key in missing)
    return method.eval()


def stored(name: str) -> dict[str, Tensor]:
    """Return the weights of a file, those in half precision as float32."""
    weights = load(model_archive.read_weights(MODELS[name]))
    return {key: value.float() if value.dtype == torch.float16 else value for key, value in weights.items()}


@cache
def slices() -> tuple[Tensor, Tensor, np.ndarray]:
    """Return image (N, 1, 1, H, W), brain and lesion of some embedded patients, normalised as in the default run."""
    with np.load(soop.SLICES, allow_pickle=False) as store:
        images = store["images"]
        lesions = np.unpackbits(store["lesions"], axis=-1, count=images.shape[-1]).astype(bool)
    chosen = np.flatnonzero(lesions.any(axis=(1, 2)))[:PATIENTS]
    model = intensity.fit("median", [])
    scaled = np.stack([intensity.apply(model, image.astype(np.float32), image > 0).T for image in images[chosen]])
    brain = (images[chosen] > 0).transpose(0, 2, 1)
    return torch.from_numpy(scaled)[:, None, None], torch.from_numpy(brain)[:, None], lesions[chosen].transpose(0, 2, 1)


@torch.no_grad()
def score(name: str) -> float:
    """Return the mean AUPRC of a model's maps of the embedded patients."""
    method, precisions = assembled(name), []
    for index, (image, brain, lesion) in enumerate(zip(*slices(), strict=True)):
        generator = torch.Generator().manual_seed(index)
        anomaly_map = method.anomaly_map(image, method.reconstruct(image, generator), brain, generator)
        inside = brain[0].numpy()
        precisions.append(average_precision_score(lesion[inside], anomaly_map[0].numpy()[inside]))
    return float(np.mean(precisions))


@pytest.mark.parametrize("name", sorted(SCORES))
def test_the_scores_of_a_model_still_hold(name: str) -> None:
    torch.set_num_threads(1)
    assert score(name) == pytest.approx(SCORES[name], abs=TOLERANCE)


@pytest.mark.parametrize("name", sorted(name for name in MODELS if "_phantom_" in name))
def test_a_model_for_other_images_computes_what_it_did_when_it_was_bundled(name: str) -> None:
    about = model_archive.read_start(MODELS[name])
    sides = bundle_check.image_sides(about["build"], about["weights"]["image_shape"])
    method = bundle_check.rebuilt(MODELS[name], list(MODELS.values()))
    assert bundle_check.loss(method, sides) == pytest.approx(about["check"]["loss"], rel=bundle_check.TOLERANCE)


def test_every_model_for_the_slices_that_makes_maps_has_a_score() -> None:
    assert {name for name in MODELS if "_soop_" in name and not name.startswith("kl_autoencoder")} == set(SCORES)
