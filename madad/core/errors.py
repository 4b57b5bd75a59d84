"""Errors a user can cause and mend. They are shown without a traceback by `madad.cli.main`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something in the input, the configuration or the environment that the user can put right.

    The message names the file or key, the offending value and what to do about it.
    """


class SubjectError(UserError):
    """One subject cannot be used. The cohort goes on without it and the reason is recorded."""


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """`, did you mean 'x'?` when a known name is close to the word, else nothing."""
    close = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""
