"""What a user can cause is told in one line; a defect keeps its traceback; the log holds both."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad import cli


def test_user_error_is_one_line_without_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "a.log"
    arguments = ["preprocess", "--manifest", "/no/manifest.tsv", "--shard", "0", "--shards", "1", "--folder", str(tmp_path)]
    status = cli.main([*arguments, "--options", "{}", "--table", str(tmp_path / "t.tsv"), "--log", str(log)])
    assert status == 1
    assert capsys.readouterr().err == "error: /no/manifest.tsv: no such file\n" == log.read_text()


def test_defect_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(arguments: object) -> None:
        raise ZeroDivisionError("a defect")

    broken.__name__ = "provenance"
    monkeypatch.setattr(cli, "provenance", broken)
    assert cli.main(["provenance", "--options", "{}", "--out", str(tmp_path / "p.json")]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_provenance_is_written(tmp_path: Path) -> None:
    assert cli.main(["provenance", "--options", '{"a": 1}', "--out", str(tmp_path / "p.json")]) == 0
    assert '"a": 1' in (tmp_path / "p.json").read_text()


@pytest.mark.parametrize("verb", ["cohort", "preprocess", "intensity", "pack", "implant", "train", "infer", "evaluate", "export"])
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0 and len(capsys.readouterr().out.splitlines()) > 5
