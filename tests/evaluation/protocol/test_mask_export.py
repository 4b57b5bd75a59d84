from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import MISSING, REFERENCE
from madad.core.io.manifest import read_table
from madad.evaluation.protocol.mask_export import FALSE, MISSED, TRUE, UNKNOWN, export_masks
from madad.evaluation.results.protocol_table import chosen
from tests.evaluation.cases import AFFINE, FULL, OPTIONS, PLAIN, SHAPE, Case

NAMES = [protocol.name for protocol in chosen() if protocol.name != "conformal_fpr_1"]


def exported(case: Case, protocol: str, options: dict = PLAIN) -> dict[str, np.ndarray]:
    """The labels of every test sample, on the axes of the files."""
    folder = case.out.parent / protocol
    export_masks(case.maps, case.packs, options, case.out, protocol, folder)
    images = {path.name.removesuffix("_dseg.nii.gz"): nib.load(path) for path in folder.glob("*.nii.gz")}
    assert all(image.get_data_dtype() == np.uint8 and np.array_equal(image.affine, AFFINE) for image in images.values())
    return {name: np.asarray(image.dataobj) for name, image in images.items()}


def dice(labels: np.ndarray) -> float:
    true, false, missed = (np.count_nonzero(labels == label) for label in (TRUE, FALSE, MISSED))
    return 2 * true / (2 * true + false + missed)


@pytest.mark.parametrize("options", [PLAIN, OPTIONS], ids=["as they are", "post-processed"])
@pytest.mark.parametrize("protocol", NAMES)
def test_masks_give_the_dice_of_the_table(tmp_path: Path, protocol: str, options: dict) -> None:
    case = Case(tmp_path, FULL)
    table = case.values("dice", protocol, options)
    masks = exported(case, protocol, options)
    assert set(masks) == {"sub-0", "sub-1", "sub-2", "sub-3"}
    assert len(table) == 2 and 0 < min(table.values()) < 1
    assert {name: dice(masks[name]) for name in table} == pytest.approx(table, abs=1e-9)


def test_labels_lie_where_image_and_lesion_do(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    known = np.zeros(SHAPE)
    known[3:6, 4:8, 4:6], known[2, 10, 7:9] = 1, 1
    case.write_maps(lambda sample: known * (sample.group == "patient"))
    case.rows(PLAIN)
    expected = np.zeros(SHAPE, dtype=np.uint8)
    expected[3:6, 4:8, 4:6], expected[3:6, 4:8, 6:8], expected[2, 10, 7:9] = TRUE, MISSED, FALSE
    assert np.array_equal(exported(case, "oracle_test")["sub-2"].transpose(2, 1, 0), expected)
    named = read_table(tmp_path / "oracle_test/dseg.tsv")
    assert [row["name"] for row in named][:3] == ["true", "false", "missed"]


def test_what_is_found_without_a_reference_is_neither_true_nor_false(tmp_path: Path) -> None:
    case = Case(tmp_path, FULL)
    sample = case.samples["test"][3]
    unknown = {**sample.covariates, REFERENCE: MISSING}
    case.samples["test"][3] = replace(sample, lesion=np.zeros(SHAPE, dtype=bool), covariates=unknown)
    case.write_packs()
    case.rows(PLAIN)
    masks = exported(case, "validation")
    assert set(np.unique(masks["sub-3"])) == {0, UNKNOWN}
    assert UNKNOWN not in masks["sub-2"]


def test_threshold_that_could_not_be_chosen_gives_no_masks_and_says_so(tmp_path: Path, capsys) -> None:
    case = Case(tmp_path, {"test": FULL["test"]})
    case.rows(PLAIN)
    assert exported(case, "validation") == {}
    assert "has no threshold validation" in capsys.readouterr().err


@pytest.mark.parametrize("protocol", ["oracle_subject", "mean", "mine"])
def test_protocol_without_a_common_threshold_is_refused(tmp_path: Path, protocol: str) -> None:
    case = Case(tmp_path, FULL)
    case.rows(PLAIN)
    with pytest.raises(UserError, match=f"--protocol: {protocol} is no threshold of a whole test set; take one of oracle_test"):
        exported(case, protocol)
