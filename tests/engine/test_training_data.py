"""Training data: which slices, and that a draw depends on its coordinates alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from madad.core.errors import UserError
from madad.core.io.hdf5 import write_pack
from madad.core.validation_parts import part_of
from madad.engine.training_data import Images, check_depth, read_images
from tests.engine import toy

CPU = torch.device("cpu")


@pytest.fixture
def slices(tmp_path: Path) -> Images:
    return read_images(toy.write(tmp_path / "train.h5", ["sub-1", "sub-2"], "train"), CPU)


def test_only_slices_with_brain(slices: Images) -> None:
    assert slices.image.shape == slices.brain.shape == (8, 1, 16, 16)
    assert slices.brain.dtype == torch.bool and slices.brain.flatten(1).any(1).all()
    assert slices.subjects == 2 and slices.volume_shape == toy.SHAPE


def test_whole_volumes(tmp_path: Path) -> None:
    volumes = read_images(toy.write(tmp_path / "train.h5", ["sub-1", "sub-2"], "train"), CPU, "volumes")
    assert volumes.image.shape == volumes.brain.shape == (2, 1, *toy.SHAPE) and volumes.subjects == 2
    assert torch.equal(volumes.image[0, 0], torch.from_numpy(toy.sample("sub-1").image))


def test_single_slices_are_no_volumes_for_a_network(tmp_path: Path) -> None:
    whole = toy.sample("sub-1")
    one = replace(whole, **{key: getattr(whole, key)[2:3] for key in ("image", "brain", "lesion")})
    write_pack(tmp_path / "slices.h5", iter([one]), affine=np.eye(4), modality="FLAIR", cohort="toy", split="train")
    assert read_images(tmp_path / "slices.h5", CPU).image.shape == (1, 1, 16, 16)
    check_depth(read_images(tmp_path / "slices.h5", CPU), tmp_path / "slices.h5")
    with pytest.raises(UserError, match=r"slices\.h5: holds single slices"):
        check_depth(read_images(tmp_path / "slices.h5", CPU, "volumes"), tmp_path / "slices.h5")


def test_only_healthy_subjects(tmp_path: Path) -> None:
    mixed = [toy.sample("sub-1"), toy.sample("sub-2", "patient"), toy.sample("sub-3", "implanted")]
    write_pack(tmp_path / "mixed.h5", iter(mixed), affine=np.eye(4), modality="FLAIR", cohort="toy", split="train")
    slices = read_images(tmp_path / "mixed.h5", CPU)
    assert slices.subjects == 1
    assert torch.equal(slices.image[:, 0], torch.from_numpy(mixed[0].image[1:-1]))


def test_networks_are_trained_on_the_normal_range(tmp_path: Path) -> None:
    bright = replace(toy.sample("sub-1"), image=3 * toy.sample("sub-1").image)
    write_pack(tmp_path / "bright.h5", iter([bright]), affine=np.eye(4), modality="FLAIR", cohort="toy", split="train")
    image = read_images(tmp_path / "bright.h5", CPU, "volumes").image[0, 0]
    assert bright.image.max() > 1 and torch.equal(image, torch.from_numpy(bright.image.clip(0, 1)))


def test_a_batch_holds_no_lesion_mask(slices: Images) -> None:
    assert set(slices.draw(3, CPU, 0, 1)) == {"image", "brain"}


def test_a_draw_depends_on_its_coordinates_alone(slices: Images) -> None:
    first = slices.draw(4, CPU, 0, "slices", 7)["image"]
    slices.draw(4, CPU, 0, "slices", 8)
    torch.manual_seed(3)
    assert torch.equal(first, slices.draw(4, CPU, 0, "slices", 7)["image"])
    assert not torch.equal(first, slices.draw(4, CPU, 0, "slices", 8)["image"])


def test_spread_reaches_both_ends(slices: Images) -> None:
    assert slices.spread(100).tolist() == list(range(8))
    assert slices.spread(3).tolist() == [0, 4, 7]


def test_checkpoint_is_chosen_on_a_part_of_the_validation_subjects_where_they_are_enough(tmp_path: Path) -> None:
    for number, disjoint in ((40, True), (8, False)):
        names = [f"sub-{place}" for place in range(number)]
        read = read_images(toy.write(tmp_path / f"{number}.h5", names, "validation"), CPU, part="checkpoint")
        assert read.subjects == (sum(part_of(name) == "checkpoint" for name in names) if disjoint else number)


def test_content_names_the_subjects(tmp_path: Path) -> None:
    contents = {
        read_images(toy.write(tmp_path / f"{i}.h5", names, "train"), CPU).content for i, names in enumerate(["ab", "abc"])
    }
    assert len(contents) == 2
