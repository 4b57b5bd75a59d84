"""What a name says never depends on the label of the subject, and filters choose by entities."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madad.core.io.bids_names import ENTITIES, BidsName, differing, masked, parse, selects

LABELS = st.one_of(
    st.sampled_from(["lesion01", "wmh", "brainmask", "stroke3", "mask", "dseg", "tumor9"]),
    st.from_regex("[A-Za-z0-9]{1,8}", fullmatch=True),
)
KEYS = st.sampled_from([key for key in ENTITIES if key not in ("sub", "ses")])
SUFFIXES = st.sampled_from(["T1w", "FLAIR", "mask", "dseg", "roi", "probseg", "lesion", "bold"])


@st.composite
def rests(draw: st.DrawFn) -> str:
    """Everything of a name behind the subject."""
    pairs = draw(st.dictionaries(KEYS, st.sampled_from(["lesion", "brain", "x", "1", "02", "GM", "highres"]), max_size=4))
    return "".join(f"_{key}-{value}" for key, value in pairs.items()) + f"_{draw(SUFFIXES)}"


def understood(name: str) -> BidsName:
    found = parse(name)
    assert found is not None
    return found


@given(LABELS, LABELS, rests(), st.sampled_from([".nii", ".nii.gz", ".mgz", ".hdr"]))
def test_what_a_name_says_does_not_depend_on_the_subject(one: str, other: str, rest: str, ending: str) -> None:
    first, second = understood(f"sub-{one}{rest}{ending}"), understood(f"sub-{other}_ses-lesion{rest}{ending}")
    assert (first.is_lesion_mask, first.is_brain_mask, first.suffix) == (
        second.is_lesion_mask,
        second.is_brain_mask,
        second.suffix,
    )
    assert not (first.is_lesion_mask and first.is_brain_mask)
    assert (first.subject, second.session) == (f"sub-{one}", "ses-lesion")


@given(LABELS, rests())
def test_a_filter_of_all_entities_selects_its_own_name(label: str, rest: str) -> None:
    name = understood(f"sub-{label}{rest}.nii")
    assert selects({**name.entities, "suffix": name.suffix}, name)
    assert selects({ENTITIES[key]: value for key, value in name.entities.items()}, name)


@given(st.text(alphabet="sub-_.T1wniigz0", max_size=25))
def test_any_text_is_a_name_or_none(text: str) -> None:
    found = parse(text)
    assert found is None or found.subject.startswith("sub-")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        *(({"run": 1}, True), ({"run": "1"}, True), ({"run": "01"}, True), ({"run": 2}, False), ({"run": [1, 2]}, True)),
        *(
            ({"acq": None}, True),
            ({"acq": "x"}, False),
            ({"run": None}, False),
            ({"suffix": "T1w"}, True),
            ({"desc": "PREPROC"}, True),
        ),
        ({"description": "preproc", "run": 1}, True),
    ],
)
def test_filters(wanted: dict, fits: bool) -> None:
    assert selects(wanted, understood("sub-01_run-01_desc-preproc_T1w.nii.gz")) is fits


def test_differences_between_names() -> None:
    names = [understood(f"sub-1_{part}T1w.nii") for part in ("run-1_", "run-2_acq-x_", "run-1_")]
    assert differing(names) == {"run": ["1", "2"], "acq": ["", "x"]}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("derivatives/m/sub-07/sub-07_ses-2_mask.nii", "derivatives/m/sub-*/sub-*_ses-*_mask.nii"),
        ("BraTS2021_00001/BraTS2021_00001_seg.nii", "BraTS*_*/BraTS*_*_seg.nii"),
    ],
)
def test_paths_read_alike_for_all_subjects(path: str, shown: str) -> None:
    assert masked(Path("/data") / path, Path("/data")) == shown
