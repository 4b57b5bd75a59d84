"""How a cheap step of the workflow runs: its messages go to its log, and what the user can mend is told in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from madad.core.errors import UserError
from madad.core.logs import capture, say


def logged(log: str, step: Callable[..., None], **arguments: Any) -> None:
    """Call a step with its messages copied to a log file; a UserError ends the process without a traceback."""
    with capture(log):
        try:
            step(**arguments)
        except UserError as error:
            say(f"error: {error}")
            sys.exit(1)
