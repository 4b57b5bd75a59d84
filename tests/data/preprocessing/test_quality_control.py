from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from madad.configuration.data_options import Limits, Quality
from madad.core.io.manifest import Row, read_table, write_table
from madad.data.preprocessing import quality_columns, quality_control
from tests.data.preprocessing.conftest import row

GOOD = {"status": "ok", "warning": "", "brain_volume_ml": "1400", "template_dice": "0.95"}


def options(**changed: object) -> dict:
    lists = {key: changed.pop(key, []) for key in ("exclude", "keep")}
    return {**Quality.model_validate(changed).model_dump(), **lists}


def image(subject: str = "sub-01", **other: str) -> Row:
    return {**row(subject, Path("x.nii.gz")), **GOOD, **other}


def verdict(one: Row, **changed: object) -> tuple[str, str]:
    judged = quality_control.verdicts([one], options(**changed))[0]
    return judged["verdict"], judged["verdict_reason"]


def cohort(dice: list[float], measure: str = "template_dice") -> list[Row]:
    return [image(f"sub-{number:02d}", **{measure: str(value)}) for number, value in enumerate(dice)]


def test_every_measure_can_have_limits() -> None:
    assert set(Limits.model_fields) == set(quality_columns.MEASURES)


def test_a_good_image_is_ok() -> None:
    assert verdict(image()) == ("ok", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"brain_volume_ml": "700"}, "brain_volume_ml 700 is below 900"),
        ({"brain_volume_ml": "2300"}, "brain_volume_ml 2300 is above 2200"),
        ({"template_dice": "0.5"}, "template_dice 0.5 is below 0.88"),
        ({"lesion_outside": "0.4"}, "lesion_outside 0.4 is above 0.1"),
        ({"warning": "the lesion of 1 ml vanished"}, "the lesion of 1 ml vanished"),
    ],
)
def test_defaults_flag_and_never_exclude(change: dict[str, str], words: str) -> None:
    assert verdict(image(**change)) == ("flagged", words)


def test_a_limit_may_exclude_and_reasons_come_in_order() -> None:
    one = image(brain_volume_ml="500", template_dice="0.8")
    limits = {"brain_volume_ml": {"exclude": [600, None]}}
    reasons = "brain_volume_ml 500 is below 600; brain_volume_ml 500 is below 900; template_dice 0.8 is below 0.88"
    assert verdict(one, limits=limits) == ("excluded", reasons)


def test_a_missing_measure_crosses_no_limit() -> None:
    assert verdict(image(template_dice="", reference_dice="")) == ("ok", "")


@pytest.mark.parametrize("name", ["sub-01", "sub-01_ses-2", "sub-01_ses-2_T1w"])
def test_lists_overrule_limits(name: str) -> None:
    one = image(session="ses-2", template_dice="0.1")
    limits = {"template_dice": {"exclude": [0.5, None]}}
    assert verdict(one, limits=limits, keep=[name])[0] == "ok"
    assert "template_dice 0.1 is below 0.5" in verdict(one, limits=limits, keep=[name])[1]
    assert verdict(image(session="ses-2"), exclude=[name]) == ("excluded", "by hand (quality.exclude)")


@pytest.mark.parametrize("name", ["sub-0", "sub-01_ses-1", "sub-01_ses-2_FLAIR"])
def test_another_name_takes_nothing_out(name: str) -> None:
    assert verdict(image(session="ses-2"), exclude=[name])[0] == "ok"


def test_a_failed_image_stays_failed() -> None:
    failed = {**row("sub-01", Path("x")), "status": "failed", "reason": "x: truncated", "warning": ""}
    assert verdict(failed, keep=["sub-01"]) == ("failed", "x: truncated")


def test_modified_z_by_hand() -> None:
    """Median 5.5, absolute deviations 0.5 0.5 1.5 1.5 2.5 2.5 3.5 3.5 4.5 94.5, their median 2.5."""
    scores = quality_control.modified_z(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9, 100]))
    assert scores[-1] == pytest.approx(0.6745 * 94.5 / 2.5)
    assert scores[0] == pytest.approx(-0.6745 * 4.5 / 2.5)


def test_modified_z_of_normal_values_is_a_standard_score() -> None:
    values = np.random.default_rng(0).normal(3, 2, 20_000)
    assert quality_control.modified_z(values).std() == pytest.approx(1, abs=0.02)


def test_low_overlap_is_an_outlier_and_high_overlap_is_none() -> None:
    usual = [0.95, 0.951, 0.952, 0.953, 0.954, 0.955, 0.956, 0.957, 0.958]
    assert set(quality_control.outliers(cohort([*usual, 0.90]), 3.5)) == {9}
    assert quality_control.outliers(cohort([*usual, 1.0]), 3.5) == {}
    assert "median 0.9535 of 10 T1w images, z -14.4" in quality_control.outliers(cohort([*usual, 0.90]), 3.5)[9][0]


def test_brain_volumes_are_outliers_on_both_sides() -> None:
    usual = [1300.0, 1320, 1340, 1360, 1380, 1400, 1420, 1440, 1460, 1480]
    far = quality_control.outliers(cohort([*usual, 900, 1900], "brain_volume_ml"), 3.5)
    assert set(far) == {10, 11}


def test_few_images_and_equal_values_have_no_outliers() -> None:
    assert quality_control.outliers(cohort([0.95] * 8 + [0.5]), 3.5) == {}
    assert quality_control.outliers(cohort([0.95] * 20 + [0.5]), 3.5) == {}


def test_every_modality_is_compared_with_itself() -> None:
    first = cohort([0.95 + 0.001 * n for n in range(10)])
    second = [{**one, "modality": "FLAIR", "template_dice": f"{0.80 + 0.001 * n}"} for n, one in enumerate(first)]
    assert quality_control.outliers(first + second, 3.5) == {}


def test_outliers_can_be_switched_off() -> None:
    rows = cohort([0.95, 0.951, 0.952, 0.953, 0.954, 0.955, 0.956, 0.957, 0.958, 0.9])
    assert [one["verdict"] for one in quality_control.verdicts(rows, options())].count("flagged") == 1
    assert all(one["verdict"] == "ok" for one in quality_control.verdicts(rows, options(outlier_z=None)))


def test_verdicts_are_per_image(tmp_path: Path) -> None:
    rows = [image(modality="T1w"), image(modality="FLAIR", template_dice="0.3")]
    judged = quality_control.verdicts(rows, options(limits={"template_dice": {"exclude": [0.5, None]}}))
    assert [one["verdict"] for one in judged] == ["ok", "excluded"]


def test_table_and_record_tell_what_was_decided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = [tmp_path / "0.tsv", tmp_path / "1.tsv"]
    write_table(tables[0], [image("sub-02", template_dice="0.5")], quality_columns.COLUMNS)
    write_table(tables[1], [image("sub-01"), image("sub-03")], quality_columns.COLUMNS)
    chosen = options(exclude=["sub-03", "sub-30"])
    quality_control.judge(tables, chosen, "mine", tmp_path / "q.tsv", tmp_path / "q.json")
    rows = read_table(tmp_path / "q.tsv")
    assert tuple(rows[0]) == quality_control.COLUMNS
    assert [(one["subject"], one["verdict"]) for one in rows] == [
        ("sub-01", "ok"),
        ("sub-02", "flagged"),
        ("sub-03", "excluded"),
    ]
    record = json.loads((tmp_path / "q.json").read_text())
    assert record["limits"]["brain_volume_ml"]["flag"] == [900, 2200] and record["outlier_z"] == 3.5
    assert record["counts"] == {"ok": 1, "flagged": 1, "excluded": 1, "failed": 0}
    assert record["usual"]["T1w"]["template_dice"]["median"] == 0.95 and record["usual"]["T1w"]["template_dice"]["images"] == 3
    said = capsys.readouterr().err
    assert "quality.exclude.mine: no image belongs to 'sub-30', did you mean 'sub-03'?" in said
    assert "mine: sub-03 T1w is excluded" in said


def visits(*volumes: str, subject: str = "sub-01") -> list[Row]:
    return [
        image(subject=subject, session=f"ses-{number}", brain_volume_ml=volume) for number, volume in enumerate(volumes, start=1)
    ]


def test_volumes_of_one_person_are_compared_between_visits() -> None:
    rows = quality_control.verdicts([*visits("1320", "2172"), *visits("1400", "1450", subject="sub-02")], options())
    assert [row["visit_ratio"] for row in rows] == ["0.6077", "1.6455", "0.9655", "1.0357"]
    assert [row["verdict"] for row in rows] == ["flagged", "flagged", "ok", "ok"]
    assert "visit_ratio 1.6455 is above 1.15" in rows[1]["verdict_reason"]


def test_one_visit_has_no_ratio() -> None:
    (row,) = quality_control.verdicts(visits("1320"), options())
    assert not row.get("visit_ratio") and row["verdict"] == "ok"


def test_a_leak_to_the_scalp_is_flagged_although_the_template_fits() -> None:
    assert verdict(image(template_dice="0.954", scalp_share="0.31")) == ("flagged", "scalp_share 0.31 is above 0.05")


def test_an_image_on_another_grid_than_the_others_of_its_space_fails() -> None:
    rows = [image(subject=f"sub-0{number}", grid="160 x 192 x 1") for number in (1, 2)]
    rows += [image(subject="sub-03", grid="128 x 192 x 1"), image(subject="sub-04", modality="FLAIR", grid="9 x 9 x 1")]
    found = quality_control.verdicts(rows, options())
    assert [row["verdict"] for row in found] == ["ok", "ok", "failed", "ok"]
    assert "128 x 192 x 1, the common space of the others 160 x 192 x 1" in found[2]["verdict_reason"]
