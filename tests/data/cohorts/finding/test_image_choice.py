"""Among several images of a sequence the choice is the documented one, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.core.io.bids_names import Filter, parse
from madad.data.cohorts.finding.file_layout import Image
from madad.data.cohorts.finding.image_choice import Choice, choose


def chosen(*parts: str, wanted: Filter | None = None) -> Choice:
    names = [f"sub-01_{part}_T1w.nii.gz" if part else "sub-01_T1w.nii.gz" for part in parts]
    images = [Image("sub-01", "", "T1w", Path("/data") / name, name=parse(name)) for name in names]
    return choose(images, "T1w", wanted)


def kept(choice: Choice) -> list[str]:
    return [image.path.name.removeprefix("sub-01_").removesuffix("T1w.nii.gz").rstrip("_") for image in choice.kept]


@pytest.mark.parametrize(
    ("parts", "best"),
    [
        (("",), [""]),
        (("part-phase", "part-mag", "part-imag", "part-real"), ["part-mag"]),
        (("run-2", "run-10", "run-1"), ["run-1", "run-2", "run-10"]),
        (("run-2", ""), ["", "run-2"]),
        (("space-MNI", ""), [""]),
        (("space-MNI",), ["space-MNI"]),
        (("desc-preproc", "space-MNI_desc-preproc"), ["desc-preproc"]),
        (("desc-brain", "desc-preproc"), ["desc-preproc"]),
        (("desc-brain", "desc-preproc", ""), [""]),
        (("acq-a_run-1", "acq-a_run-2"), ["acq-a_run-1", "acq-a_run-2"]),
    ],
)
def test_order_of_the_choice(parts: tuple[str, ...], best: list[str]) -> None:
    choice = chosen(*parts)
    assert kept(choice) == best and not choice.problem
    assert len(choice.kept) + len(choice.passed) == len(parts)


@pytest.mark.parametrize(
    ("parts", "settled"),
    [
        (("acq-a", "acq-b"), "`filters: {T1w: {acq: a}}` or `filters: {T1w: {acq: b}}`"),
        (("rec-norm", ""), "`filters: {T1w: {rec: null}}` or `filters: {T1w: {rec: norm}}`"),
        (("space-A", "space-B"), "`filters: {T1w: {space: A}}`"),
        (("echo-1", "echo-2"), "`filters: {T1w: {echo: 1}}`"),
    ],
)
def test_what_is_ambiguous_is_left_out_with_the_filter_that_settles_it(parts: tuple[str, ...], settled: str) -> None:
    choice = chosen(*parts)
    assert choice.kept == [] and settled in choice.problem and len(choice.passed) == len(parts)


@pytest.mark.parametrize(
    ("wanted", "best"),
    [
        ({"acq": "b"}, ["acq-b_run-1", "acq-b_run-2"]),
        ({"acq": "b", "run": 2}, ["acq-b_run-2"]),
        ({"acquisition": ["b"], "run": 1}, ["acq-b_run-1"]),
    ],
)
def test_a_filter_chooses(wanted: Filter, best: list[str]) -> None:
    assert kept(chosen("acq-a", "acq-b_run-1", "acq-b_run-2", wanted=wanted)) == best


def test_a_filter_that_selects_nothing_is_named() -> None:
    choice = chosen("acq-a", "acq-b", wanted={"acq": "c", "run": None})
    assert choice.kept == [] and "filters: T1w: {acq: c, run: null} selects none of its 2 T1w images" in choice.problem


def test_images_that_are_parts_alone_are_not_used() -> None:
    choice = chosen("part-phase", "part-imag")
    assert choice.kept == [] and "a magnitude image" in choice.problem
