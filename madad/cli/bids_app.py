"""The form in which BIDS Apps are called, `madad BIDS OUT participant …`, as `madad predict`."""

from __future__ import annotations

from collections.abc import Sequence

USAGE = "As a BIDS App: madad BIDS OUT participant --model MODEL [--participant-label 001] [--filter-T1w acq=x] …"
LEVELS = ("participant", "group")


def as_predict(given: Sequence[str]) -> list[str]:
    """Return the arguments of `madad predict` for those of a BIDS App; any other arguments as they are.

    Args:
        given: the arguments of the program.
    """
    words = list(given)
    if len(words) < 3 or words[2] not in LEVELS or any(word.startswith("-") for word in words[:2]):
        return words
    if words[2] == "group":
        raise SystemExit("error: group: every scan is predicted by itself; madad has the level participant alone")
    return ["predict", words[0], "--out", words[1], *words[3:]]
