"""Inference: one map a subject, whatever the other subjects are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from madad.core.errors import UserError
from madad.core.io.hdf5 import Maps, Pack, write_pack
from madad.engine.inference import infer
from madad.engine.model_files import save_model
from tests.engine import toy

METADATA = {"method": "denoiser", "modality": "FLAIR", "image_shape": list(toy.SHAPE), "fingerprint": "f00d"}


def run(
    folder: Path,
    packs: list[Path],
    method: torch.nn.Module | None = None,
    out: str = "maps.h5",
    seed: int = 0,
    **metadata: object,
) -> Path:
    method = method or toy.denoiser()
    about = {**METADATA, "parameters": method.trained_with, **metadata}
    save_model(folder / "model.safetensors", method.state_dict(), about)
    infer(
        method,
        model=folder / "model.safetensors",
        packs=packs,
        identity={**toy.IDENTITY, "testset": "toy"},
        seed=seed,
        out=folder / out,
        device="cpu",
    )
    return folder / out


@pytest.fixture
def packs(tmp_path: Path) -> list[Path]:
    return [
        toy.write(tmp_path / "validation.h5", ["sub-1", "sub-2"], "validation"),
        toy.write(tmp_path / "test.h5", ["sub-3"], "test", group="patient"),
    ]


def test_every_subject_of_every_pack(tmp_path: Path, packs: list[Path]) -> None:
    with Maps(run(tmp_path, packs)) as maps:
        assert list(zip(maps.splits, maps.names, strict=True)) == [
            ("validation", "sub-1"),
            ("validation", "sub-2"),
            ("test", "sub-3"),
        ]
        assert maps.attributes["testset"] == "toy" and len(maps.attributes["fingerprint"]) == 16
        assert (maps.seconds > 0).all() and (maps.peak_memory_mb > 1).all()
        assert maps.anomaly_map(0).shape == maps.reconstruction(0).shape == toy.SHAPE
        with Pack(packs[0]) as pack:
            assert (maps.anomaly_map(0)[~pack.brain(0)] == 0).all() and maps.anomaly_map(0).max() > 0


def test_a_map_does_not_depend_on_the_other_subjects(tmp_path: Path, packs: list[Path]) -> None:
    alone = toy.write(tmp_path / "alone.h5", ["sub-2"], "validation")
    with Maps(run(tmp_path, packs)) as many, Maps(run(tmp_path, [alone], out="one.h5")) as one:
        assert np.array_equal(many.anomaly_map(1), one.anomaly_map(0))


@pytest.mark.parametrize("whole", [False, True])
def test_networks_see_the_normal_range_and_a_method_of_the_whole_scale_all(tmp_path: Path, whole: bool) -> None:
    """A pack keeps what is above 1; to the networks it looks as if it had been cut there."""
    bright = replace(toy.sample("sub-1"), image=3 * toy.sample("sub-1").image)
    cut = replace(bright, image=bright.image.clip(0, 1))
    maps = []
    for name, sample in (("bright", bright), ("cut", cut)):
        path = tmp_path / f"{name}.h5"
        write_pack(path, iter([sample]), affine=np.eye(4), modality="FLAIR", cohort="toy", split="test")
        method = toy.denoiser()
        method.whole_scale = whole
        with Maps(run(tmp_path, [path], method, out=f"{name}_maps.h5")) as store:
            maps.append((store.reconstruction(0), store.anomaly_map(0)))
    (reconstruction, shown), (as_cut, shown_cut) = maps
    assert np.array_equal(reconstruction, as_cut)
    assert np.array_equal(shown, shown_cut) != whole
    if whole:
        expected = np.abs(bright.image - reconstruction) * bright.brain
        np.testing.assert_allclose(shown, expected, atol=2e-3)


def test_a_corrupted_sample_meets_the_noise_of_its_base(tmp_path: Path, packs: list[Path]) -> None:
    with Pack(packs[0]) as pack:
        base = pack.sample(1)
        corrupted = replace(base, name="sub-2_noise-1", covariates={**base.covariates, "base": "sub-2"})
        write_pack(tmp_path / "c.h5", iter([corrupted]), affine=pack.affine, modality="FLAIR", cohort="toy", split="test")
    with Maps(run(tmp_path, packs)) as many, Maps(run(tmp_path, [tmp_path / "c.h5"], out="c_maps.h5")) as one:
        assert np.array_equal(many.anomaly_map(1), one.anomaly_map(0))


def test_a_map_depends_on_the_seed(tmp_path: Path, packs: list[Path]) -> None:
    with Maps(run(tmp_path, packs)) as first, Maps(run(tmp_path, packs, out="other.h5", seed=1)) as other:
        assert not np.array_equal(first.anomaly_map(0), other.anomaly_map(0))
        assert first.attributes["fingerprint"] != other.attributes["fingerprint"]


def test_what_was_learnt_at_one_go_fits_its_grid_alone(tmp_path: Path, packs: list[Path]) -> None:
    class Learnt(toy.Nothing):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(3, 3))

    with pytest.raises(UserError, match=r"image shape is \[6, 8, 8\], not \[6, 16, 16\]"):
        run(tmp_path, packs, Learnt(), image_shape=[6, 8, 8])


def test_method_without_reconstruction(tmp_path: Path, packs: list[Path]) -> None:
    with Maps(run(tmp_path, packs, toy.Nothing())) as maps:
        assert not maps.has_reconstruction and maps.anomaly_map(0).max() > 0


def test_map_that_is_not_finite_names_the_subject(tmp_path: Path, packs: list[Path]) -> None:
    class Broken(toy.Denoiser):
        def reconstruct(self, volume: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            return volume / 0

    with pytest.raises(UserError, match=r"output for sub-1 has .* NaN or infinite"):
        run(tmp_path, packs, Broken())
    assert not (tmp_path / "maps.h5").exists()


def test_pack_of_another_modality(tmp_path: Path) -> None:
    pack = toy.write(tmp_path / "test.h5", ["sub-3"], "test", modality="T1w")
    with pytest.raises(UserError, match=r"test.h5: contains T1w, FLAIR is needed"):
        run(tmp_path, [pack])


def test_empty_packs_give_an_empty_file(tmp_path: Path) -> None:
    with Maps(run(tmp_path, [toy.write(tmp_path / "test.h5", [], "test")])) as maps:
        assert maps.names == []


def test_maps_of_other_settings_of_inference_have_another_fingerprint(tmp_path: Path, packs: list[Path]) -> None:
    method = toy.denoiser()
    with Maps(run(tmp_path, packs, method)) as maps:
        first = maps.attributes["fingerprint"]
        assert json.loads(maps.attributes["hyperparameters"]) == method.hyperparameters
    method.hyperparameters = {**method.trained_with, "passes": 2}
    with Maps(run(tmp_path, packs, method, out="other.h5")) as maps:
        assert maps.attributes["fingerprint"] != first


class White(toy.Denoiser):
    """A method whose training diverged: its reconstructions are white."""

    def reconstruct(self, volume: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return torch.ones_like(volume)


def test_reconstructions_at_a_bound_are_not_scored(tmp_path: Path, packs: list[Path]) -> None:
    with pytest.raises(UserError, match=r"is at one end of the scale.*not scored"):
        run(tmp_path, packs, White(), steps=5000)
    assert not (tmp_path / "maps.h5").exists()
    assert run(tmp_path, packs, White(), steps=6).exists(), "after six steps nothing is judged"
