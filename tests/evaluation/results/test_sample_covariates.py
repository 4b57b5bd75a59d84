from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from madad.core.io.hdf5 import MISSING, REFERENCE, Sample, write_pack
from madad.core.io.manifest import read_table, write_table
from madad.evaluation.results.sample_covariates import COLUMNS, join_samples, read_samples, write_samples

SHAPE = (6, 8, 8)
BRAIN = np.ones(SHAPE, dtype=bool)
BRAIN[:, :2] = False


def sample(name: str, group: str = "healthy", spots: tuple = (), **covariates: object) -> Sample:
    lesion = np.zeros(SHAPE, dtype=bool)
    for spot in spots:
        lesion[spot] = True
    return Sample(name, group, BRAIN.astype(np.float32), BRAIN, lesion, covariates)


def pack(path: Path, *samples: Sample) -> Path:
    write_pack(path, iter(samples), affine=np.diag([2.0, 2.0, 2.5, 1.0]), modality="FLAIR", cohort="made", split="test")
    return path


def written(tmp_path: Path, *samples: Sample, tables: tuple[Path, ...] = (), testset: str = "ixi") -> list[dict[str, str]]:
    write_samples(pack(tmp_path / "test.h5", *samples), tables, testset, tmp_path / "s.tsv")
    return read_table(tmp_path / "s.tsv")


def test_covariates_lesions_and_identity(tmp_path) -> None:
    # three voxels that touch at corners are a lesion, one apart is too small for one, another lies outside the brain
    spots = ((1, 3, 3), (2, 4, 4), (3, 5, 5), (5, 7, 7), (4, 0, 0))
    told = {"subject": "sub-1", "site": "Guys", "age": 41.0, "sex": "F"}
    first, second = written(tmp_path, sample("sub-1_ses-2", "patient", spots, **told), sample("sub-9", age=None, site=""))
    assert tuple(first) == COLUMNS
    expected = {"testset": "ixi", "modality": "FLAIR", "sample": "sub-1_ses-2", "subject": "sub-1", "group": "patient"}
    expected |= {"site": "Guys", "age": "41", "sex": "F", "lesion_ml": "0.04", "lesions": "1", "contrast": "0", "saturated": "1"}
    assert first == {**dict.fromkeys(COLUMNS, ""), **expected}
    unknown = {"sample": "sub-9", "subject": "sub-9", "group": "healthy", "lesion_ml": "0", "lesions": "0"}
    assert {key: value for key, value in second.items() if value} == {"testset": "ixi", "modality": "FLAIR", **unknown}


def test_lesions_that_nobody_has_drawn_are_not_counted_as_none(tmp_path) -> None:
    (row,) = written(tmp_path, sample("sub-1", "patient", **{REFERENCE: MISSING}))
    assert (row["lesion_ml"], row["lesions"], row["contrast"]) == ("", "", "")


def test_derived_tables_fill_in_what_was_ordered(tmp_path) -> None:
    implanted, corrupted = tmp_path / "i.tsv", tmp_path / "c.tsv"
    write_table(
        implanted,
        [
            {
                "name": "a_lesion-01",
                "volume_ml": "3",
                "contrast": "0.2",
                "seen_contrast": "0.15",
                "saturated": "0.4",
                "site": "cortical",
            }
        ],
        ("name", "volume_ml", "contrast", "seen_contrast", "saturated", "site"),
    )
    write_table(
        corrupted,
        [{"name": "b", "base": "a_lesion-01", "corruption": "noise", "severity": "3"}],
        ("name", "base", "corruption", "severity"),
    )
    carried = {"implant_volume_ml": 10.0, "implant_contrast": 0.4, "implant_seen_contrast": -0.3, "site": "HH"}
    carried |= {"implant_site": "deep_grey", "implant_saturated": 0.0}
    first, second = written(
        tmp_path,
        sample("a_lesion-01", "implanted", site="HH"),
        sample("b", "implanted", **carried),
        tables=(implanted, corrupted),
    )
    told = ("volume_ml", "asked_contrast", "contrast", "saturated", "place", "site", "corruption")
    assert [first[key] for key in told] == ["3", "0.2", "0.15", "0.4", "cortical", "HH", ""]
    # a corrupted copy keeps what its base carried
    assert [second[key] for key in told] == ["10", "0.4", "-0.3", "0", "deep_grey", "HH", "noise"]
    assert (second["base"], second["corruption"], second["severity"]) == ("a_lesion-01", "noise", "3")


def test_contrast_of_a_real_lesion_is_measured_against_the_tissue_around_it_as_methods_see_it(tmp_path) -> None:
    one = sample("sub-1", "patient", ((3, 4, 4), (3, 4, 5), (3, 5, 4)))
    image = np.where(one.brain, 0.7, 0).astype(np.float32)
    image[one.lesion] = [1.6, 1.2, 0.9]  # 1.6 and 1.2 are shown as 1
    (row,) = written(tmp_path, replace(one, image=image))
    assert (row["asked_contrast"], row["contrast"], row["saturated"]) == ("", "0.2667", "0.6667")


def test_all_test_sets_as_one_table(tmp_path) -> None:
    one = pack(tmp_path / "one.h5", sample("012", subject="012", age=30.5, sex="M"))
    none = pack(tmp_path / "none.h5")
    write_samples(one, [], "ixi", tmp_path / "1.tsv")
    write_samples(none, [], "brats", tmp_path / "2.tsv")
    join_samples([tmp_path / "1.tsv", tmp_path / "2.tsv"], tmp_path / "all.csv")
    table = read_samples(tmp_path / "all.csv")
    assert list(table.columns) == list(COLUMNS)
    (row,) = table.to_dict("records")
    assert (row["sample"], row["age"], row["place"], row["lesions"]) == ("012", 30.5, "", 0.0)
    assert math.isnan(row["volume_ml"])


def test_same_bytes_again(tmp_path) -> None:
    one = sample("a", "patient", ((1, 3, 3),), age=50.0)
    written(tmp_path, one)
    first = (tmp_path / "s.tsv").read_bytes()
    written(tmp_path, replace(one))
    assert (tmp_path / "s.tsv").read_bytes() == first
