from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Pack
from madad.core.io.manifest import Row, write_table
from madad.core.io.volumes import Volume, load_image, load_mask
from madad.data.preprocessing import packing, quality_control
from tests.data.preprocessing.conftest import row, written

AFFINE = np.array([[3.0, 0, 0, -10], [0, 3, 0, -20], [0, 0, 3, -30], [0, 0, 0, 1]])
PERCENTILE = {"method": "percentile", "lower": 1.0, "upper": 99.0}


def ready(folder: Path, subject: str, seed: int = 0, **other: str) -> Row:
    array = np.random.default_rng(seed).uniform(10, 100, (8, 7, 6)).astype(np.float32)
    brain = np.zeros(array.shape, dtype=np.uint8)
    brain[1:7, 1:6, 1:5] = 1
    image = written(folder / f"{subject}.nii.gz", Volume(array * brain, AFFINE))
    mask = written(folder / f"{subject}_brain.nii.gz", Volume(brain, AFFINE))
    known = {"status": "ok", "verdict": "ok", "image": str(image), "brain": str(mask)}
    return {**row(subject, image), **known, **other}


def left_out(subject: str, verdict: str, why: str) -> Row:
    return {**row(subject, Path("x")), "verdict": verdict, "verdict_reason": why}


def table(folder: Path, rows: list[Row], name: str = "t.tsv") -> Path:
    write_table(folder / name, rows, quality_control.COLUMNS)
    return folder / name


def packed(folder: Path, rows: list[Row], split: str = "train") -> Path:
    packing.pack([table(folder, rows)], split, "T1w", PERCENTILE, folder / "p.h5", "mine")
    return folder / "p.h5"


def test_pack_holds_images_masks_and_what_is_known(tmp_path: Path) -> None:
    known = ready(tmp_path, "sub-01", session="ses-2", age="41.5", sex="F", site="A", lesion_kind="")
    with Pack(packed(tmp_path, [known])) as pack:
        assert pack.names == ["sub-01_ses-2"] and pack.groups == ["healthy"]
        assert pack.shape == (6, 7, 8)
        assert (pack.cohort, pack.split, pack.modality) == ("mine", "train", "T1w")
        assert pack.covariates[0]["age"] == 41.5 and pack.covariates[0]["lesion_ml"] == 0
        np.testing.assert_allclose(pack.affine, AFFINE)
        assert pack.brain(0)[2, 3, 4] and not pack.brain(0)[0].any()
        assert not pack.image(0)[~pack.brain(0)].any()


def test_pack_keeps_what_is_brighter_than_the_normal_range(tmp_path: Path) -> None:
    known = ready(tmp_path, "sub-01")
    with Pack(packed(tmp_path, [known])) as pack:
        values = pack.image(0)[pack.brain(0)]
    original = load_image(known["image"]).array.transpose(2, 1, 0)[load_mask(known["brain"]).array.transpose(2, 1, 0) > 0]
    low, high = np.percentile(original, (1, 99))
    np.testing.assert_allclose(values, np.maximum((original - low) / (high - low), 0), atol=1e-5)
    assert values.max() > 1 and values.min() == 0


def test_lesion_and_its_volume_travel(tmp_path: Path) -> None:
    lesion = np.zeros((8, 7, 6), dtype=np.uint8)
    lesion[3, 2, 4] = 1
    path = written(tmp_path / "l.nii.gz", Volume(lesion, AFFINE))
    known = ready(tmp_path, "sub-01", lesion=str(path), lesion_ml="0.027", group="patient")
    with Pack(packed(tmp_path, [known])) as pack:
        assert pack.lesion(0)[4, 2, 3] and pack.lesion(0).sum() == 1
        assert pack.covariates[0]["lesion_ml"] == pytest.approx(0.027)


def test_unknown_age_is_none_and_vanished_lesion_is_no_error(tmp_path: Path) -> None:
    path = written(tmp_path / "l.nii.gz", Volume(np.zeros((8, 7, 6), dtype=np.uint8), AFFINE))
    with Pack(packed(tmp_path, [ready(tmp_path, "sub-01", lesion=str(path), lesion_ml="0")])) as pack:
        assert pack.covariates[0]["age"] is None and not pack.lesion(0).any()


def test_what_cannot_be_used_is_left_out_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flagged = ready(tmp_path, "sub-02", verdict="flagged", verdict_reason="template_dice 0.8 is below 0.88")
    excluded = ready(tmp_path, "sub-03", verdict="excluded", verdict_reason="by hand (quality.exclude)")
    rows = [ready(tmp_path, "sub-01"), flagged, excluded, left_out("sub-04", "failed", "x: truncated")]
    with Pack(packed(tmp_path, rows)) as pack:
        assert pack.names == ["sub-01", "sub-02"]
    said = capsys.readouterr().err
    assert "sub-03 T1w is left out, excluded: by hand (quality.exclude)" in said
    assert "sub-04 T1w is left out, failed: x: truncated" in said


def test_nothing_left_of_a_split_is_an_error_with_the_first_reason(tmp_path: Path) -> None:
    rows = [left_out("sub-02", "failed", "x: truncated"), left_out("sub-03", "excluded", "by hand")]
    with pytest.raises(
        UserError, match=r"all 2 T1w images of the split train failed .*\(1\) or are excluded .*\(1\).* truncated"
    ):
        packed(tmp_path, rows)


def test_excluded_images_take_no_part_in_the_fit(tmp_path: Path) -> None:
    rows = [ready(tmp_path, f"sub-0{n}", n) for n in (1, 2)]
    options = {"method": "nyul", "lower": 1.0, "upper": 99.0}
    alone = packing.fit([table(tmp_path, rows)], "T1w", options)
    excluded = ready(tmp_path, "sub-03", 3, verdict="excluded")
    assert packing.fit([table(tmp_path, [*rows, excluded])], "T1w", options) == alone


def test_a_split_without_images_is_an_empty_pack(tmp_path: Path) -> None:
    with Pack(packed(tmp_path, [ready(tmp_path, "sub-01")], split="test")) as pack:
        assert len(pack) == 0


def test_shards_come_together_in_order(tmp_path: Path) -> None:
    tables = [table(tmp_path, [ready(tmp_path, f"sub-0{n}")], f"{n}.tsv") for n in (3, 1, 2)]
    packing.pack(tables, "train", "T1w", PERCENTILE, tmp_path / "p.h5", "mine")
    with Pack(tmp_path / "p.h5") as pack:
        assert pack.names == ["sub-01", "sub-02", "sub-03"]


def test_another_grid_is_refused(tmp_path: Path) -> None:
    other = ready(tmp_path, "sub-02")
    written(Path(other["image"]), Volume(np.ones((4, 4, 4), dtype=np.float32) + np.eye(4, dtype=np.float32), AFFINE))
    with pytest.raises(UserError, match=r"sub-02\.nii\.gz: not on the grid"):
        packed(tmp_path, [ready(tmp_path, "sub-01"), other])


def test_fit_sees_the_training_split_alone(tmp_path: Path) -> None:
    rows = [ready(tmp_path, f"sub-0{n}", n) for n in (1, 2)]
    options = {"method": "nyul", "lower": 1.0, "upper": 99.0}
    alone = packing.fit([table(tmp_path, rows)], "T1w", options)
    test = ready(tmp_path, "sub-03", 3, split="test")
    assert packing.fit([table(tmp_path, [*rows, test])], "T1w", options) == alone
    train = ready(tmp_path, "sub-03", 3)
    assert packing.fit([table(tmp_path, [*rows, train])], "T1w", options) != alone


def test_histogram_matching_of_t1w_needs_no_training_images(tmp_path: Path) -> None:
    options = {"method": "histogram_matching", "lower": 1.0, "upper": 99.0}
    assert len(packing.fit([table(tmp_path, [])], "T1w", options)["scale"]) == 101
    with pytest.raises(UserError, match="at least 1 images"):
        packing.fit([table(tmp_path, [])], "FLAIR", options)
