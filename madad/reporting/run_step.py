"""How a cheap step of the workflow runs: its messages go to its log, and a mistake of the user is reported in one line."""

from __future__ import annotations

import importlib
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


def deliver(log: str, function: str, **arguments: Any) -> None:
    """Call a function by its name, as `logged` does; of the package only its own module is imported.

    Args:
        log: file for its messages.
        function: as "module:function".
        arguments: of the function.
    """
    module, name = function.split(":")
    logged(log, getattr(importlib.import_module(module), name), **arguments)
