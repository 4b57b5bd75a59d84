from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack, write_pack
from madad.core.io.manifest import read_table
from madad.data.corruptions.corrupted import COLUMNS, choose, corrupt_pack
from madad.data.preprocessing.steps import intensity

OPTIONS = {
    "kinds": ["noise", "thick_slices"],
    "severities": [1, 5],
    "samples": 4,
    "seed": 0,
    "intensity": {"method": "percentile", "lower": 1.0, "upper": 99.0},
}


@pytest.fixture(scope="module")
def corrupted(tmp_path_factory: pytest.TempPathFactory, pack: Path) -> Path:
    folder = tmp_path_factory.mktemp("corrupted")
    corrupt_pack(pack, folder / "test.h5", folder / "test.tsv", OPTIONS)
    return folder


def test_every_chosen_sample_comes_under_every_artefact(corrupted: Path) -> None:
    rows = read_table(corrupted / "test.tsv")
    assert tuple(rows[0]) == COLUMNS
    assert set(Counter(row["base"] for row in rows).values()) == {2 * 2} and len(rows) == 4 * 2 * 2
    with Pack(corrupted / "test.h5") as made:
        assert made.cohort == "toy-implanted-corrupted" and made.split == "test" and made.names == [row["name"] for row in rows]
    assert rows[0]["name"] == f"{rows[0]['base']}_noise-1" and rows[0]["strength"] == "0.01"


def test_truth_and_covariates_stay(corrupted: Path, pack: Path) -> None:
    with Pack(pack) as before, Pack(corrupted / "test.h5") as after:
        for index, row in enumerate(read_table(corrupted / "test.tsv")):
            base, made = before.sample(before.names.index(row["base"])), after.sample(index)
            assert (made.lesion == base.lesion).all() and (made.brain == base.brain).all() and made.group == base.group
            assert not made.image[~made.brain].any() and made.image.min() >= 0 and made.image.max() <= 1
            assert made.covariates["subject"] == base.covariates["subject"] and made.covariates["age"] == 50
            assert (made.covariates["corruption"], made.covariates["severity"]) == (row["corruption"], float(row["severity"]))


def test_same_options_same_bytes_and_another_seed_others(corrupted: Path, pack: Path, tmp_path: Path) -> None:
    contents = []
    for name, options in (("a", OPTIONS), ("b", {**OPTIONS, "seed": 1})):
        corrupt_pack(pack, tmp_path / f"{name}.h5", tmp_path / f"{name}.tsv", options)
        with Pack(tmp_path / f"{name}.h5") as made:
            contents.append(made.content)
    with Pack(corrupted / "test.h5") as first:
        assert contents[0] == first.content != contents[1]


def test_noise_of_a_sample_does_not_depend_on_what_else_is_made(corrupted: Path, pack: Path, tmp_path: Path) -> None:
    corrupt_pack(pack, tmp_path / "o.h5", tmp_path / "o.tsv", {**OPTIONS, "kinds": ["noise"], "severities": [5], "samples": 9})
    with Pack(tmp_path / "o.h5") as alone, Pack(corrupted / "test.h5") as first:
        shared = [name for name in alone.names if name in first.names]
        assert len(shared) == 4
        assert all((alone.image(alone.names.index(n)) == first.image(first.names.index(n))).all() for n in shared)


@pytest.mark.parametrize("method", intensity.METHODS)
def test_normalising_a_clean_image_again_changes_hardly_anything(head, method: str) -> None:
    """So that severity 0 may be the sample as it stands in the pack."""
    pairs = [(head.image * 900, head.brain), (head.image**1.2 * 700, head.brain)]
    model = intensity.fit(method, pairs)
    once = intensity.apply(model, head.image * 800, head.brain)
    again = intensity.apply(model, once, head.brain)
    assert np.abs(again - once)[head.brain].mean() < 0.01


def test_groups_take_turns_and_subjects_are_spread() -> None:
    groups = ["healthy", "implanted", "implanted"] * 6
    subjects = [f"s{index // 3}" for index in range(18)]
    chosen = choose(groups, subjects, 6, seed=0)
    assert chosen == sorted(set(chosen)) and Counter(groups[i] for i in chosen) == {"healthy": 3, "implanted": 3}
    assert len({subjects[i] for i in chosen}) == 6
    assert len({subjects[i] for i in choose(groups, subjects, 12, seed=0)}) == 6


@pytest.mark.parametrize(
    ("groups", "number", "healthy", "ill"),
    [("hhhhp", 4, 3, 1), ("ppp", 2, 0, 2), ("hp", 9, 1, 1), ("", 3, 0, 0), ("uhuphu", 4, 2, 1), ("uuu", 2, 0, 0)],
)
def test_what_one_group_lacks_the_other_fills_and_unknown_is_neither(groups: str, number: int, healthy: int, ill: int) -> None:
    names = [{"h": "healthy", "p": "patient", "u": "unknown"}[letter] for letter in groups]
    chosen = choose(names, [str(index) for index in range(len(names))], number, seed=0)
    found = [groups[index] for index in chosen]
    unknown = 0 if set(groups) - {"u"} or not groups else number
    assert (found.count("h"), found.count("p"), found.count("u")) == (healthy, ill, unknown)


def test_empty_pack_is_refused_by_name(tmp_path: Path) -> None:
    write_pack(tmp_path / "none.h5", iter([]), affine=np.eye(4), modality="T1w", cohort="toy", split="test")
    with pytest.raises(UserError, match=r"none\.h5: contains no image.*'toy-corrupted'"):
        corrupt_pack(tmp_path / "none.h5", tmp_path / "o.h5", tmp_path / "o.tsv", OPTIONS)
    assert not (tmp_path / "o.h5").exists()
