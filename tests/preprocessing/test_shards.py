from __future__ import annotations

from pathlib import Path

import pytest

from madad.errors import SubjectError
from madad.manifest import Row, read_table
from madad.preprocessing import quality, shards, subject
from tests.preprocessing.conftest import QUICK, SyntheticHead, row, written


@pytest.fixture
def rows(head: SyntheticHead, tmp_path: Path) -> list[Row]:
    return [row(f"sub-{n:02}", written(tmp_path / f"{n}.nii.gz", head.stripped), age="30") for n in range(3)]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that really were preprocessed, in a stand-in for the real work."""
    seen: list[str] = []

    def pretend(known: Row, files: dict[str, Path], options: dict) -> Row:
        seen.append(known["subject"])
        if known["site"] == "bad":
            raise SubjectError(f"{known['path']}: no head")
        if known["site"] == "crash":
            raise ValueError("deep inside")
        for key, path in files.items():
            if key != "record":
                path.write_text(key)
        return {"brain_volume_ml": "1400"}

    monkeypatch.setattr(subject, "preprocess", pretend)
    return seen


def run(rows: list[Row], folder: Path, options: dict = QUICK) -> list[Row]:
    shards.run(rows, 0, 1, folder, options, folder / "table.tsv")
    return read_table(folder / "table.tsv")


def test_one_real_run_has_every_column_and_file(rows: list[Row], tmp_path: Path) -> None:
    (result,) = run(rows[:1], tmp_path)
    assert tuple(result) == quality.COLUMNS
    assert result["status"] == "ok" and result["age"] == "30"
    assert all(Path(result[key]).is_file() for key in ("image", "brain", "picture", "transform"))


def test_two_runs_are_equal_bit_for_bit(rows: list[Row], tmp_path: Path) -> None:
    (first,), (second,) = run(rows[:1], tmp_path / "a", QUICK), run(rows[:1], tmp_path / "b", QUICK)
    for key in ("image", "brain", "transform"):
        assert Path(first[key]).read_bytes() == Path(second[key]).read_bytes()


@pytest.mark.parametrize(("site", "words"), [("bad", "1.nii.gz: no head"), ("crash", "1.nii.gz: ValueError: deep inside")])
def test_one_failure_stops_nothing(rows: list[Row], tmp_path: Path, calls: list[str], site: str, words: str) -> None:
    rows[1]["site"] = site
    results = run(rows, tmp_path)
    assert [r["status"] for r in results] == ["ok", "failed", "ok"]
    assert words in results[1]["reason"]
    assert len(calls) == 3


def test_what_is_done_is_not_done_again(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    first = run(rows, tmp_path)
    assert run(rows, tmp_path) == first
    assert len(calls) == 3


def test_a_failed_image_is_tried_again(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    rows[1]["site"] = "bad"
    run(rows, tmp_path)
    rows[1]["site"] = ""
    assert [r["status"] for r in run(rows, tmp_path)] == ["ok"] * 3
    assert calls == ["sub-00", "sub-01", "sub-02", "sub-01"]


def test_changed_options_input_or_missing_file_are_done_again(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    results = run(rows, tmp_path)
    Path(results[0]["brain"]).unlink()
    Path(rows[1]["path"]).write_bytes(b"another")
    run(rows, tmp_path)
    assert calls[3:] == ["sub-00", "sub-01"]
    run(rows, tmp_path, {**QUICK, "spacing_mm": 5.0})
    assert len(calls) == 8


def test_normalisation_options_do_not_matter(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    run(rows, tmp_path)
    run(rows, tmp_path, {**QUICK, "intensity": {"method": "nyul"}})
    assert len(calls) == 3


def test_covariates_come_from_the_manifest_of_today(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    run(rows, tmp_path)
    rows[0]["split"] = "test"
    assert run(rows, tmp_path)[0]["split"] == "test"
    assert len(calls) == 3


def test_shards_part_the_subjects() -> None:
    rows = [
        row(f"sub-{n:02}", Path("a"), session=s, modality=m) for n in (4, 1, 3, 2) for s in ("", "ses-2") for m in ("T2w", "T1w")
    ]
    parts = [shards.share(rows, shard, 3) for shard in range(3)]
    assert [sorted({r["subject"] for r in part}) for part in parts] == [["sub-01", "sub-04"], ["sub-02"], ["sub-03"]]
    assert sum(map(len, parts)) == len(rows)


def test_more_shards_than_subjects_give_empty_tables(tmp_path: Path) -> None:
    shards.run([row("sub-01", Path("a"))], 3, 5, tmp_path, QUICK, tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv") == []
