"""Who is healthy, who is a patient, and of whom neither is known: a group always has evidence."""

from __future__ import annotations

from typing import NamedTuple

BY_MASK = "by_mask"
HEALTHY, PATIENT, UNKNOWN = "healthy", "patient", "unknown"
UNLABELLED = "unlabelled"


class Group(NamedTuple):
    """The group of a subject.

    Attributes:
        name: "healthy", "patient" or "unknown".
        evidence: what says so; empty if it is unknown and the subject is not used.
        conflict: whether a lesion mask contradicts what is written.
    """

    name: str
    evidence: str
    conflict: bool = False


def decide(asked: str, written: str, where: str, lesion: str) -> Group:
    """Return the group of a subject.

    What the configuration says counts first. Then a lesion makes a patient, so that nobody who has one is learnt from by
    mistake; then what is written about the subject. Nothing else makes anybody healthy: neither that no lesion mask was found,
    nor that it is all zero.

    Args:
        asked: option `group`: "auto", "healthy", "patient", "by_mask", by which who would be unknown is healthy, or
            "unlabelled", by which who is unknown is tested on.
        written: what is written about the subject: "healthy", "patient" or empty.
        where: where that is written.
        lesion: a mask that marks a lesion of the subject, or empty.
    """
    if asked in (HEALTHY, PATIENT):
        return Group(asked, f"group: {asked}", bool(lesion) and asked == HEALTHY)
    if lesion:
        return Group(PATIENT, f"lesion mask {lesion}", written == HEALTHY)
    if written:
        return Group(written, where)
    if asked == BY_MASK:
        return Group(HEALTHY, "group: by_mask, and no lesion mask")
    return Group(UNKNOWN, f"group: {UNLABELLED}" if asked == UNLABELLED else "")
