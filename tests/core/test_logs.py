from __future__ import annotations

import sys
from pathlib import Path

import pytest

from madad.core import logs


def test_log_file_gets_what_the_terminal_gets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # as on a terminal, where a log file must get no bars
    with logs.capture(str(tmp_path / "deep" / "a.log")):
        logs.say("one")
        assert not sys.stderr.isatty()
    assert (tmp_path / "deep" / "a.log").read_text() == "one\n" == capsys.readouterr().err


def test_second_attempt_appends(tmp_path: Path) -> None:
    for word in ("first", "second"):
        with logs.capture(str(tmp_path / "a.log")):
            logs.warn(word)
    assert (tmp_path / "a.log").read_text() == "warning: first\nwarning: second\n"


def test_terminal_comes_back_after_an_error(tmp_path: Path) -> None:
    before = sys.stderr
    with pytest.raises(RuntimeError), logs.capture(str(tmp_path / "a.log")):
        raise RuntimeError
    assert sys.stderr is before


def test_progress_yields_everything_and_says_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(logs.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert "counting: 3/3" in capsys.readouterr().err


def test_progress_knows_what_was_done_before(capsys: pytest.CaptureFixture[str]) -> None:
    list(logs.progress(range(2), "resuming", start=8))
    assert "resuming: 10/10" in capsys.readouterr().err
