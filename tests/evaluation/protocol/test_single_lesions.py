from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from madad.core.errors import UserError
from madad.core.io.manifest import Row, read_table
from madad.evaluation.protocol.single_lesions import contrasts, lesion_rows
from madad.evaluation.results.single_lesions import COLUMNS, NAME, join_lesions
from tests.evaluation.cases import BRAIN, FULL, OPTIONS, PLAIN, SHAPE, Case

LARGE, MEDIUM, SPECK = (slice(1, 4), slice(2, 5), slice(2, 5)), (slice(1, 3), slice(2, 4), slice(8, 10)), (5, 10, 2)


def several() -> np.ndarray:
    """A lesion of 27 voxels, one of 8 and one of 1."""
    lesion = np.zeros(SHAPE, dtype=bool)
    for place in (LARGE, MEDIUM, SPECK):
        lesion[place] = True
    return lesion


def written(case: Case, options: dict = PLAIN) -> list[Row]:
    case.rows(options)
    return read_table(case.out.parent / NAME)


def case_of(folder: Path, lesion: np.ndarray, change: float = 0.25) -> Case:
    """Of patients who have these lesions, brighter than a flat brain; the map knows the large one alone."""
    case = Case(folder, FULL)
    for samples in case.samples.values():
        for place, sample in enumerate(samples):
            if sample.group == "patient":
                image = (0.5 * BRAIN + change * lesion).astype(np.float32)
                samples[place] = replace(sample, lesion=lesion, image=image)
    case.write_packs()
    known = np.zeros(SHAPE)
    known[LARGE] = 1
    case.write_maps(lambda sample: known * (sample.group == "patient"))
    return case


def test_every_lesion_has_a_row_with_what_became_of_it(tmp_path: Path) -> None:
    rows = [row for row in written(case_of(tmp_path, several())) if row["sample"] == "sub-2"]
    assert list(rows[0]) == list(COLUMNS)
    told = {row["voxels"]: [row[key] for key in ("volume_ml", "covered", "iou", "counts", "found", "matched")] for row in rows}
    assert told == {
        "27": ["0.216", "1", "1", "1", "1", "1"],
        "8": ["0.064", "0", "0", "1", "0", "0"],
        "1": ["0.008", "0", "", "0", "", ""],
    }
    assert {(row["protocol"], row["method"], row["group"]) for row in rows} == {("validation", "ddpm", "patient")}


@pytest.mark.parametrize("change", [0.25, -0.25])
def test_contrast_is_measured_on_what_methods_see(tmp_path: Path, change: float) -> None:
    rows = written(case_of(tmp_path, several(), change))
    assert len(rows) == 6
    assert [float(row["contrast"]) for row in rows] == pytest.approx([change] * 6, abs=1e-6)


def test_other_lesions_are_no_healthy_surroundings() -> None:
    image, lesion = 0.5 * BRAIN, several()
    image[MEDIUM] = 1
    alone = contrasts(image, lesion, BRAIN, (2.0, 2.0, 2.0))
    assert alone == pytest.approx((0, 0.5, 0))


@pytest.mark.parametrize("options", [PLAIN, OPTIONS])
def test_lesions_add_up_to_the_metrics(tmp_path: Path, options: dict) -> None:
    case = Case(tmp_path, FULL)
    table = pd.DataFrame(written(case, options)).query("counts == '1'").astype({"found": float, "matched": float})
    means = table.groupby("sample")[["found", "matched"]].mean()
    assert len(means) == 2
    assert case.values("lesion_sensitivity", "validation", options) == means["found"].to_dict()
    assert case.values("lesion_sensitivity_iou", "validation", options) == means["matched"].to_dict()


def test_without_a_threshold_nothing_is_found_or_missed(tmp_path: Path) -> None:
    rows = written(Case(tmp_path, {"test": FULL["test"]}))
    assert len(rows) == 2
    assert {row[key] for row in rows for key in ("threshold", "covered", "iou", "found", "matched")} == {""}


def test_noticed_lesion_without_a_partner_is_not_matched() -> None:
    lesion = several()
    rows = lesion_rows(lesion, np.ones(SHAPE, dtype=bool), (0.0, 0.0, 0.0), 0.008)
    assert [(row["found"], row["matched"]) for row in rows if row["counts"] == "1"] == [("1", "0"), ("1", "0")]


def test_tables_are_joined_and_an_older_one_is_refused(tmp_path: Path) -> None:
    written(Case(tmp_path, FULL))
    join_lesions([tmp_path / NAME, tmp_path / NAME], tmp_path / "all.csv")
    assert len(pd.read_csv(tmp_path / "all.csv")) == 4
    (tmp_path / "old.tsv").write_text("cohort\tlesion\nixi\t1\n")
    with pytest.raises(UserError, match=r"old\.tsv: has no column modality"):
        join_lesions([tmp_path / "old.tsv"], tmp_path / "all.csv")
