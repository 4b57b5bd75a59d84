from __future__ import annotations

import pytest

from madad.core.errors import UserError
from madad.core.logs import say
from madad.reporting.run_step import logged


def test_messages_reach_the_log(tmp_path) -> None:
    logged(str(tmp_path / "log"), say, message="done")
    assert (tmp_path / "log").read_text() == "done\n"


def test_user_errors_end_without_a_traceback(tmp_path) -> None:
    def refuse() -> None:
        raise UserError("the file is gone")

    with pytest.raises(SystemExit):
        logged(str(tmp_path / "log"), refuse)
    assert (tmp_path / "log").read_text() == "error: the file is gone\n"
