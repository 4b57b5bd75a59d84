from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.core.errors import SubjectError, UserError
from madad.data.preprocessing.steps import intensity


def brain_image(seed: int, scale: float = 1.0) -> intensity.Pair:
    generator = np.random.default_rng(seed)
    image = scale * generator.choice([30.0, 60.0, 90.0], size=(12, 12, 12)) + generator.normal(0, 6, (12, 12, 12))
    brain = np.zeros(image.shape, dtype=np.uint8)
    brain[2:10, 2:10, 2:10] = 1
    return image.astype(np.float32), brain


def fitted(method: str) -> intensity.Model:
    return intensity.fit(method, [brain_image(seed, scale) for seed, scale in ((1, 1.0), (2, 7.0), (3, 0.2))])


@pytest.mark.parametrize("method", intensity.METHODS)
def test_result_is_float32_in_the_unit_interval_and_zero_outside(method: str) -> None:
    image, brain = brain_image(9, 3.0)
    result = intensity.apply(fitted(method), image, brain)
    assert result.dtype == np.float32 and result.shape == image.shape
    assert result.min() >= 0 and (0.35 if method == "median" else 0.5) < result.max() <= 1
    assert not result[brain == 0].any()


@pytest.mark.parametrize("method", intensity.METHODS)
def test_whole_scale_goes_on_above_the_normal_range_and_is_the_same_below(method: str) -> None:
    image, brain = brain_image(9, 3.0)
    inside = brain > 0
    bright = inside & (np.arange(image.size).reshape(image.shape) == np.flatnonzero(inside)[7])
    image = np.where(bright, 5 * image.max(), image).astype(np.float32)
    model = fitted(method)
    cut, whole = intensity.apply(model, image, brain), intensity.apply(model, image, brain, whole=True)
    np.testing.assert_array_equal(whole.clip(0, 1), cut)
    order = np.argsort(image[inside], kind="stable")
    assert (np.diff(whole[inside][order]) >= -1e-6).all() and not whole[~inside].any()
    assert whole.max() == 1 if method == "equalisation" else whole[bright] > (1 if method == "median" else 3)


@settings(max_examples=15, deadline=None)
@given(method=st.sampled_from(intensity.METHODS), seed=st.integers(0, 1000), scale=st.floats(0.01, 1000))
def test_apply_is_monotone(method: str, seed: int, scale: float) -> None:
    image, brain = brain_image(seed, scale)
    values = intensity.apply(fitted(method), image, brain)[brain > 0][np.argsort(image[brain > 0], kind="stable")]
    assert (np.diff(values) >= -1e-6).all()


@pytest.mark.parametrize("method", intensity.METHODS)
def test_apply_takes_gain_and_offset_out(method: str) -> None:
    image, brain = brain_image(4)
    model, offset = fitted(method), 0 if method == "maximum" else 100
    changed = intensity.apply(model, 5 * image + offset, brain)
    np.testing.assert_allclose(intensity.apply(model, image, brain), changed, atol=2e-3)


@pytest.mark.parametrize("method", intensity.METHODS)
def test_model_survives_json(method: str) -> None:
    image, brain = brain_image(4)
    model = fitted(method)
    again = json.loads(json.dumps(model))
    np.testing.assert_array_equal(intensity.apply(model, image, brain), intensity.apply(again, image, brain))


@pytest.mark.parametrize("method", intensity.METHODS)
def test_a_small_bright_lesion_hardly_moves_the_rest(method: str) -> None:
    image, brain = brain_image(4)
    lesion = np.zeros(image.shape, dtype=bool)
    lesion[4:6, 4:6, 4] = True
    bright, model = np.where(lesion, 400, image), fitted(method)
    healthy = (brain > 0) & ~lesion
    change = np.abs(intensity.apply(model, bright, brain) - intensity.apply(model, image, brain))[healthy]
    assert change.mean() < 0.06
    assert intensity.apply(model, bright, brain)[lesion].min() > 0.75


def test_percentiles_become_zero_and_one() -> None:
    image, brain = brain_image(4)
    values = intensity.apply(fitted("percentile"), image, brain)[brain > 0]
    assert 0 < (values == 1).mean() <= 0.015 and 0 < (values == 0).mean() <= 0.015


def test_the_upper_percentile_becomes_one_and_zero_stays() -> None:
    image, brain = brain_image(4)
    whole, most = (intensity.apply(intensity.fit("maximum", [], 0, upper), image, brain)[brain > 0] for upper in (100, 99))
    values = image[brain > 0]
    np.testing.assert_allclose(whole, np.maximum(values, 0) / values.max(), rtol=1e-5)
    np.testing.assert_allclose(most, np.clip(values / np.percentile(values, 99), 0, 1), rtol=1e-5)


def test_a_brain_without_positive_values_has_no_maximum() -> None:
    image, brain = brain_image(4)
    with pytest.raises(SubjectError, match="no value above 0"):
        intensity.apply(fitted("maximum"), image - 1000, brain)


def test_nyul_brings_medians_together() -> None:
    model = fitted("nyul")
    medians = [np.median(intensity.apply(model, *brain_image(s, k))[brain_image(s)[1] > 0]) for s, k in ((1, 1.0), (2, 9.0))]
    assert abs(medians[0] - medians[1]) < 1e-3


def test_histogram_matching_takes_the_shape_of_its_reference() -> None:
    reference = np.random.default_rng(0).beta(2, 5, 20000)
    image, brain = brain_image(4)
    model = intensity.fit("histogram_matching", [], 0, 100, reference)
    found = np.percentile(intensity.apply(model, image, brain)[brain > 0], (25, 50, 75))
    span = np.ptp(reference)
    np.testing.assert_allclose(found, (np.percentile(reference, (25, 50, 75)) - reference.min()) / span, atol=0.02)


def test_nyul_reads_nothing_but_what_it_is_given_once() -> None:
    pairs = iter([brain_image(1), brain_image(2)])
    assert intensity.fit("nyul", pairs)["scale"][0] == 0
    assert next(pairs, None) is None


def test_nyul_refuses_one_image() -> None:
    with pytest.raises(UserError, match="at least 2 images of the training split, 1 found"):
        intensity.fit("nyul", [brain_image(1)])


def test_histogram_matching_without_images_or_reference_is_refused() -> None:
    with pytest.raises(UserError, match="at least 1 images"):
        intensity.fit("histogram_matching", [])


def test_unknown_method_is_named() -> None:
    with pytest.raises(UserError, match="'nuyl' is unknown; choose one of percentile"):
        intensity.fit("nuyl", [])


@pytest.mark.parametrize(("lower", "upper"), [(99, 1), (-1, 99), (5, 5), (0, 101)])
def test_impossible_percentiles_are_refused(lower: float, upper: float) -> None:
    with pytest.raises(UserError, match="percentiles"):
        intensity.fit("percentile", [], lower, upper)


@pytest.mark.parametrize("method", intensity.METHODS)
def test_constant_brain_is_refused(method: str) -> None:
    with pytest.raises(SubjectError, match="one value"):
        intensity.apply(fitted(method), np.ones((4, 4, 4)), np.ones((4, 4, 4)))


def test_mostly_constant_brain_still_gets_finite_values() -> None:
    image = np.ones((10, 10, 10))
    image[0, 0, :3] = (2, 3, 4)
    for method in intensity.METHODS:
        assert np.isfinite(intensity.apply(fitted(method), image, np.ones(image.shape))).all()


def test_a_large_bright_lesion_hardly_moves_the_scale_of_median() -> None:
    image, brain = brain_image(5)
    ill = image.copy()
    ill[2:4, 2:10, 2:10] += 300  # a quarter of the brain
    rest = (brain > 0) & (ill == image)
    shifts = {}
    for method in ("median", "percentile"):
        before, after = (intensity.apply(fitted(method), one, brain, whole=True)[rest] for one in (image, ill))
        shifts[method] = abs(after - before).mean() / before.std()
    assert shifts["median"] < 0.5 * shifts["percentile"]


def test_median_puts_robust_standard_scores_of_minus_3_and_7_at_the_ends() -> None:
    image, brain = brain_image(6)
    values = image[brain > 0].astype(float)
    centre = np.median(values)
    spread = 1.4826 * np.median(abs(values - centre))
    expected = (((values - centre) / spread + 3) / 10).clip(0, 1)
    np.testing.assert_allclose(intensity.apply(fitted("median"), image, brain)[brain > 0], expected, atol=1e-6)
