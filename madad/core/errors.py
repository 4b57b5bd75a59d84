"""Errors that a user can cause and correct. `madad.cli.main` shows them without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """An error in the input, the configuration or the environment that the user can correct.

    The message names the file or key, the wrong value and what to do about it.
    """


class SubjectError(UserError):
    """One subject cannot be used. The cohort is processed without it and the reason is recorded."""


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return `, did you mean 'x'?` when a known name is close to the word, else an empty text."""
    close = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""
