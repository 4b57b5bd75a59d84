"""A group has evidence, and nobody of whom nothing is known is healthy."""

from __future__ import annotations

import pytest

from madad.data.cohorts.finding.groups import decide


@pytest.mark.parametrize(
    ("asked", "written", "lesion", "name", "conflict"),
    [
        ("auto", "", "", "unknown", False),
        ("auto", "healthy", "", "healthy", False),
        ("auto", "patient", "", "patient", False),
        ("auto", "", "m.nii", "patient", False),
        ("auto", "healthy", "m.nii", "patient", True),
        ("healthy", "patient", "m.nii", "healthy", True),
        ("healthy", "", "", "healthy", False),
        ("patient", "healthy", "", "patient", False),
        ("by_mask", "", "", "healthy", False),
        ("by_mask", "", "m.nii", "patient", False),
        ("by_mask", "patient", "", "patient", False),
        ("unlabelled", "", "", "unknown", False),
        ("unlabelled", "healthy", "", "healthy", False),
        ("unlabelled", "", "m.nii", "patient", False),
    ],
)
def test_groups(asked: str, written: str, lesion: str, name: str, conflict: bool) -> None:
    group = decide(asked, written, "participants.tsv: group = x", lesion)
    assert (group.name, group.conflict, bool(group.evidence)) == (name, conflict, name != "unknown" or asked == "unlabelled")
