from __future__ import annotations

import csv

from madad.core.io.manifest import read_table, write_table
from madad.reporting.quality.summary import draw_montage, read_quality, write_quality


def test_doubtful_subjects_come_first(toy) -> None:
    rows = read_quality(toy.judged, toy.excluded)
    assert [(row["name"], row["state"]) for row in rows[:4]] == [
        ("sub-01", "failed"),
        ("sub-99", "unusable"),
        ("sub-02", "flagged"),
        ("sub-00", "ok"),
    ]


def test_table_tells_reasons(toy, tmp_path) -> None:
    write_quality(toy.judged, toy.excluded, tmp_path / "q.csv", tmp_path / "q.html")
    rows = {row["Subject"]: row for row in csv.DictReader((tmp_path / "q.csv").open())}
    assert len(rows) == 17
    assert rows["sub-01"]["Reason"] == "n4: no voxel left"
    assert rows["sub-99"]["Reason"] == "sub-99/anat/sub-99_FLAIR.nii.gz: the file is truncated"
    assert "1 failed, 1 unusable, 1 flagged, 14 ok" in (tmp_path / "q.html").read_text()


def test_large_cohort_still_fits_the_page(toy, tmp_path) -> None:
    rows = read_table(toy.judged[0])
    many = [{**row, "subject": f"sub-{turn}-{row['subject']}"} for turn in range(200) for row in rows]
    judged = tmp_path / "results/quality/big/standard.tsv"
    write_table(judged, many, list(rows[0]))
    write_quality([judged], [], tmp_path / "q.csv", tmp_path / "q.html")
    assert len((tmp_path / "q.csv").read_text().splitlines()) == len(many) + 1
    assert (tmp_path / "q.html").stat().st_size < 1_000_000
    assert "the csv file has all" in (tmp_path / "q.html").read_text()


def test_montage_goes_on_without_a_picture(toy, tmp_path, capsys) -> None:
    rows = read_table(toy.judged[0])
    rows[3]["picture"] = "gone.png"
    judged = tmp_path / "results/quality/phantom/standard.tsv"
    write_table(judged, rows, list(rows[0]))
    draw_montage([judged], tmp_path / "m.png")
    assert "1 quality pictures are gone, such as gone.png" in capsys.readouterr().err
    assert (tmp_path / "m.png").exists()
