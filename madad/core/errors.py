"""Errors that a user can cause and correct. `madad.cli.main` shows them without a traceback."""

from __future__ import annotations

import difflib
import errno
import os
from collections.abc import Iterable

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = tuple(os.strerror(number) for number in FULL)


class UserError(Exception):
    """An error in the input, the configuration or the environment that the user can correct.

    The message names the file or key, the wrong value and what to do about it.
    """


class SubjectError(UserError):
    """One subject cannot be used. The cohort is processed without it and the reason is recorded."""


def disk_is_full(error: BaseException) -> bool:
    """Return whether an error, or one that led to it, means that the disk is full or a quota used up.

    Libraries that write files by themselves only quote the system's words.
    """
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "errno", None) in FULL or any(word in str(seen) for word in FULL_WORDS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return `, did you mean 'x'?` when a known name is close to the word, else an empty text."""
    close = difflib.get_close_matches(str(word), [str(name) for name in known], n=1, cutoff=0.5)
    return f", did you mean {close[0]!r}?" if close else ""
