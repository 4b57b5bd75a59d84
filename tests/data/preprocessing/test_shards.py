from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import Row, image_name, read_table
from madad.data.preprocessing import quality_columns, session, shards
from madad.data.preprocessing.session_log import SessionLog
from tests.data.preprocessing.conftest import QUICK, SyntheticHead, row, written


@pytest.fixture
def rows(head: SyntheticHead, tmp_path: Path) -> list[Row]:
    return [row(f"sub-{n:02}", written(tmp_path / f"{n}.nii.gz", head.stripped), age="30") for n in range(3)]


def fail(site: str) -> None:
    if site == "bad":
        raise SubjectError("no head")
    if site == "crash":
        raise ValueError("deep inside")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that really were preprocessed, in a stand-in for the real work."""
    seen: list[str] = []

    def pretend(rows: list[Row], files: dict[str, dict[str, Path]], options: dict) -> list[Row]:
        seen.append(image_name(rows[0]))
        log, results = SessionLog(), []
        for known in rows:
            with log.working_on(known):
                fail(known["site"])
            written = {key: path for key, path in files[known["modality"]].items() if key not in ("record", "lesion")}
            for key, path in written.items():
                path.write_text(key)
            results.append(session._outcome(known, {known["modality"]: {"brain_volume_ml": "1400"}}, log))
        return results

    monkeypatch.setattr(session, "preprocess", pretend)
    return seen


def run(rows: list[Row], folder: Path, options: dict = QUICK) -> list[Row]:
    shards.run(rows, 0, 1, folder, options, folder / "table.tsv")
    return read_table(folder / "table.tsv")


def test_one_real_run_has_every_column_and_file(rows: list[Row], tmp_path: Path) -> None:
    (result,) = run(rows[:1], tmp_path)
    assert tuple(result) == quality_columns.COLUMNS
    assert result["status"] == "ok" and result["age"] == "30"
    assert float(result["peak_memory_mb"]) > 50
    assert all(Path(result[key]).is_file() for key in ("image", "brain", "picture", "transform"))


def test_two_runs_are_equal_bit_for_bit(rows: list[Row], tmp_path: Path) -> None:
    (first,), (second,) = run(rows[:1], tmp_path / "a", QUICK), run(rows[:1], tmp_path / "b", QUICK)
    for key in ("image", "brain", "transform"):
        assert Path(first[key]).read_bytes() == Path(second[key]).read_bytes()


@pytest.mark.parametrize(("site", "words"), [("bad", "no head"), ("crash", "1.nii.gz: ValueError: deep inside")])
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


def test_another_number_of_shards_does_nothing_again(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    first = run(rows, tmp_path)
    for shard in range(2):
        shards.run(rows, shard, 2, tmp_path, QUICK, tmp_path / f"{shard}.tsv")
    divided = [result for shard in range(2) for result in read_table(tmp_path / f"{shard}.tsv")]
    assert sorted(divided, key=image_name) == first
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


@pytest.fixture
def sessions(rows: list[Row]) -> list[Row]:
    """Two sequences in each of two sessions of one subject."""
    visits = [(session, modality) for session in ("ses-1", "ses-2") for modality in ("FLAIR", "T1w")]
    return [
        {**rows[number % 3], "subject": "sub-01", "session": session, "modality": modality}
        for number, (session, modality) in enumerate(visits)
    ]


def test_a_session_is_done_together(sessions: list[Row], tmp_path: Path, calls: list[str]) -> None:
    run(sessions, tmp_path)
    assert calls == ["sub-01_ses-1", "sub-01_ses-2"]


def test_a_changed_sequence_concerns_the_whole_session_and_no_other(
    sessions: list[Row], tmp_path: Path, calls: list[str]
) -> None:
    run(sessions, tmp_path)
    sessions[3]["frame"] = "1"
    run(sessions, tmp_path)
    assert calls == ["sub-01_ses-1", "sub-01_ses-2", "sub-01_ses-2"]


def test_separate_images_are_done_one_by_one(sessions: list[Row], tmp_path: Path, calls: list[str]) -> None:
    separate = {**QUICK, "align": "separate"}
    run(sessions, tmp_path, separate)
    sessions[3]["frame"] = "1"
    run(sessions, tmp_path, separate)
    assert calls == ["sub-01_ses-1"] * 2 + ["sub-01_ses-2"] * 3


def test_another_template_file_is_another_result(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    template = tmp_path / "mine.nii.gz"
    template.write_bytes(b"one")
    options = {**QUICK, "template": str(template)}
    run(rows[:1], tmp_path, options)
    template.write_bytes(b"two")
    run(rows[:1], tmp_path, options)
    assert len(calls) == 2


def test_a_missing_program_stops_the_run_before_the_first_image(rows: list[Row], tmp_path: Path, calls: list[str]) -> None:
    with pytest.raises(UserError, match="no-such-program"):
        run(rows, tmp_path, {**QUICK, "skull_strip": "synthstrip", "skull_strip_command": "no-such-program --x"})
    assert not calls
