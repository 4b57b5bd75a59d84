"""The library's front door: typed, light to import, and enough for a notebook."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from madad import api
from madad.core.errors import UserError
from madad.data import template
from madad.detection.result import nifti

CODE = "import sys; from madad import api; api.methods(); api.cohorts(); print({'torch', 'ants', 'monai'} & set(sys.modules))"


def test_import_is_light() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_everything_promised_is_there_and_documented() -> None:
    assert all(hasattr(api, name) for name in api.__all__)
    functions = [getattr(api, name) for name in api.__all__ if callable(getattr(api, name))]
    assert all(function.__doc__ for function in functions)
    assert api.__version__[0].isdigit()


def test_names_are_those_of_a_configuration() -> None:
    assert api.methods()["ddpm"] and api.cohorts()["ixi"] == "IXI"


def test_scores() -> None:
    brain, lesion = np.ones((4, 4, 4)), np.zeros((4, 4, 4))
    lesion[1, 1, :2] = 1
    assert api.score(lesion, lesion, brain, (1, 1, 1), threshold=0.5)["dice"] == 1.0
    assert api.average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == pytest.approx(0.8333, abs=1e-4)


@pytest.fixture(scope="module")
def brain() -> tuple:
    grid = template.template_on_grid(4.0)
    inside = grid.brain.array > 0
    return nifti(grid.t1w.with_array(np.where(inside, grid.t1w.array, 0))), nifti(grid.brain)


def test_a_lesion_is_implanted_where_its_mask_says(brain: tuple) -> None:
    image, mask = brain
    lesioned, lesion = api.implant(image, mask, volume_ml=8.0, contrast=0.3, site="white_matter", seed=3)
    before, after, inside = (np.asarray(one.dataobj) for one in (image, lesioned, lesion))
    assert inside.sum() * 0.064 == pytest.approx(8.0, rel=0.1)
    assert (after - before)[inside > 0].mean() == pytest.approx(-0.3, abs=0.02), "lesions are dark in T1w"
    again, _ = api.implant(image, mask, volume_ml=8.0, contrast=0.3, site="white_matter", seed=3)
    assert np.array_equal(np.asarray(again.dataobj), after)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"site": "white_mater"}, "there is no site 'white_mater', did you mean 'white_matter'"),
        ({"contrast": 3.0}, "contrast above 0 and at most 1"),
        ({"volume_ml": 0.0}, "volume_ml above 0"),
    ],
)
def test_a_wrong_lesion_is_refused(brain: tuple, changes: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        api.implant(*brain, **changes)


def test_an_image_that_is_not_prepared_is_refused(brain: tuple) -> None:
    image, mask = brain
    raw = type(image)(np.asarray(image.dataobj) * 100, image.affine)
    with pytest.raises(UserError, match="values outside 0 to 1"):
        api.implant(raw, mask)


def test_a_normalisation_that_learns_is_refused(brain: tuple) -> None:
    with pytest.raises(UserError, match="'nyul' learns from other images"):
        api.preprocess(brain[0], intensity="nyul")
    with pytest.raises(UserError, match="spacing_mmm"):
        api.preprocess(brain[0], spacing_mmm=2)
