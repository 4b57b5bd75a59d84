from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit, logit

from madad.evaluation.statistics.detectability import ABOVE_ALL, BELOW_ALL, Trials, firth, fit, observed, wilson

VOLUMES, CONTRASTS = (0.3, 1.0, 3.0, 10.0, 30.0), (0.1, 0.2, 0.4)


def trials(subjects: int, coefficients: tuple[float, float, float] | None = None, seed: int = 0, found: float = np.nan) -> Trials:
    """A whole grid in every brain, found by chance, or all alike."""
    volume, contrast, subject = (one.ravel() for one in np.meshgrid(VOLUMES, CONTRASTS, np.arange(subjects), indexing="ij"))
    outcome = np.full(volume.size, found)
    if coefficients:
        a, b, c = coefficients
        chance = expit(a + b * np.log10(volume) + c * np.log10(contrast))
        outcome = (np.random.default_rng(seed).random(volume.size) < chance).astype(float)
    return Trials(volume, contrast, outcome, subject.astype(str))


def penalised(beta: np.ndarray, design: np.ndarray, found: np.ndarray) -> float:
    share = expit(design @ beta)
    information = (design * (share * (1 - share))[:, None]).T @ design
    likelihood = found * np.log(share) + (1 - found) * np.log(1 - share)
    return likelihood.sum() + 0.5 * np.log(np.linalg.det(information))


@pytest.mark.parametrize("seed", range(5))
def test_firth_maximises_the_penalised_likelihood(seed: int) -> None:
    generator = np.random.default_rng(seed)
    design = np.stack([np.ones(25), generator.normal(3, 2, 25), generator.normal(0, 0.2, 25)], axis=1)
    found = generator.random(25).round()
    wanted = optimize.minimize(lambda beta: -penalised(beta, design, found), np.zeros(3), method="BFGS", tol=1e-10)
    assert firth(design, found) == pytest.approx(wanted.x, rel=1e-3, abs=1e-3)


def test_firth_of_a_saturated_design_adds_half_a_trial_to_every_cell() -> None:
    # Known in closed form: Heinze & Schemper 2002, section 2, and Jeffreys' prior on each share.
    side = np.repeat([0.0, 1.0], [7, 9])
    found = np.concatenate([np.arange(7) < 2, np.arange(9) < 9]).astype(float)  # the second side is separated
    design = np.stack([np.ones(16), side], axis=1)
    first, second = logit(2.5 / 8), logit(9.5 / 10)
    assert firth(design, found) == pytest.approx([first, second - first])


def test_what_the_trials_do_not_determine_has_no_coefficients() -> None:
    design = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    assert np.isnan(firth(design, np.array([0.0, 1.0, 1.0]))).all()


def test_known_parameters_are_recovered() -> None:
    true = (2.0, 3.0, 4.0)
    curve = fit(trials(400, true))
    assert curve.coefficients == pytest.approx(true, rel=0.07)
    for contrast in CONTRASTS:
        wanted = 10 ** ((logit(0.8) - true[0] - true[2] * np.log10(contrast)) / true[1])
        value, low, high = curve.smallest_found(contrast)
        assert low < wanted < high
        assert value == pytest.approx(wanted, rel=0.12)


@pytest.mark.parametrize(("subjects", "spread"), [(8, 0.0), (8, 1.0), (20, 0.0), (20, 1.0)])
def test_interval_covers_the_truth_as_often_as_it_says(subjects: int, spread: float) -> None:
    """Two lesions a brain, measured contrasts, and brains in which all lesions are found more or less easily."""
    truth, generator = _marginal(spread), np.random.default_rng(11)
    inside = []
    for _ in range(150):
        low, high = fit(_draw(subjects, spread, generator)).smallest_found(0.3)[1:]
        inside.append(low <= truth <= high)
    assert np.mean(inside) >= 0.93


def _draw(subjects: int, spread: float, generator: np.random.Generator) -> Trials:
    grid = np.array([(volume, contrast) for volume in (1, 5, 20) for contrast in (0.15, 0.3, 0.5)])
    number = 4 * subjects
    volume, contrast = np.concatenate([generator.permutation(grid) for _ in range(number // 9 + 1)])[:number].T
    contrast = contrast * np.exp(generator.normal(0, 0.15, number))
    person = np.repeat(generator.normal(0, spread, subjects), 4)
    chance = expit(TRUE[0] + TRUE[1] * np.log10(volume) + TRUE[2] * np.log10(contrast) + person)
    return Trials(
        volume, contrast, (generator.random(number) < chance).astype(float), np.repeat(np.arange(subjects), 4).astype(str)
    )


TRUE = (1.38, 3.0, 4.0)


def _marginal(spread: float) -> float:
    """The volume at which 80 % of the lesions of contrast 0.3 are found over all brains."""
    person, weight = np.polynomial.hermite_e.hermegauss(31)

    def missing(log_volume: float) -> float:
        level = TRUE[0] + TRUE[1] * log_volume + TRUE[2] * np.log10(0.3) + spread * person
        return float((weight / weight.sum() * expit(level)).sum() - 0.8)

    return 10 ** optimize.brentq(missing, -3, 5)


def test_subjects_are_the_unit() -> None:
    given = trials(12, (2.0, 3.0, 4.0))
    person = np.random.default_rng(1).normal(0, 2, 12)[given.subjects.astype(int)]
    chance = expit(2 + 3 * np.log10(given.volume_ml) + 4 * np.log10(given.contrast) + person)
    found = (np.random.default_rng(2).random(chance.size) < chance).astype(float)
    alone = np.arange(found.size).astype(str)
    together, apart = (fit(Trials(given.volume_ml, given.contrast, found, who)) for who in (given.subjects, alone))
    width = [np.ptp(np.log(curve.smallest_found(0.2)[1:])) for curve in (together, apart)]
    assert width[0] > 1.3 * width[1]


def test_separation_stays_finite() -> None:
    given = trials(6)
    curve = fit(Trials(given.volume_ml, given.contrast, (given.volume_ml > 2).astype(float), given.subjects))
    assert np.abs(curve.coefficients).max() < 50
    value, low, high = curve.smallest_found(0.2)
    assert 1 < low <= value < 3 and value <= high < 10


@pytest.mark.parametrize(("found", "wanted"), [(1.0, BELOW_ALL), (0.0, ABOVE_ALL)])
def test_all_or_none_found_is_outside_the_grid_without_an_interval(found: float, wanted: float) -> None:
    value, low, high = fit(trials(6, found=found)).smallest_found(0.2)
    assert value == wanted
    assert np.isnan([low, high]).all()


def test_five_subjects_have_a_value_and_no_interval() -> None:
    curve = fit(trials(5, (2.0, 3.0, 4.0)))
    value, low, high = curve.smallest_found(0.2)
    assert value > 0
    assert np.isnan([low, high]).all()
    assert np.isnan(curve.probability(np.array([1.0, 2.0]), 0.2)[1]).all()
    assert not np.isnan(fit(trials(6, (2.0, 3.0, 4.0))).smallest_found(0.2)).any()


@pytest.mark.parametrize(("contrasts", "fewest"), [((0.2,), 20), ((0.2, 0.21), 20), ((0.1, 0.4), 30)])
def test_fewer_than_ten_lesions_a_coefficient_have_no_curve(contrasts: tuple[float, ...], fewest: int) -> None:
    def some(number: int) -> Trials:
        volume, contrast = np.resize([1.0, 5.0, 5.0, 20.0], number), np.resize(contrasts, number)
        return Trials(volume, contrast, np.resize([0.0, 1.0, 1.0], number), np.arange(number).astype(str))

    assert fit(some(fewest - 1)) == f"{fewest - 1} lesions, at least {fewest} are needed for a curve; raise implanted.per_subject"
    assert not isinstance(fit(some(fewest)), str)


def test_lesion_that_cannot_be_seen_is_a_trial_too() -> None:
    given = trials(8, (2.0, 3.0, 4.0))
    faint = np.where(given.contrast == 0.1, 0.0, given.contrast)
    curve = fit(Trials(given.volume_ml, faint, given.found, given.subjects))
    assert np.isfinite(curve.coefficients).all() and np.isfinite(curve.probability(np.array([1.0]), 0.0)).all()


def test_bound_beyond_the_grid_is_said() -> None:
    value, _, high = fit(trials(6, (-0.3, 1.0, 0.0))).smallest_found(0.2)
    assert value > 3
    assert high == ABOVE_ALL


def test_falling_curve_never_promises_a_volume() -> None:
    value = fit(trials(40, (-1.0, -3.0, 0.0))).smallest_found(0.2)[0]
    assert value == ABOVE_ALL
    assert fit(trials(40, (9.0, -1.0, 0.0))).smallest_found(0.2)[0] == BELOW_ALL


def test_band_holds_the_curve_and_grows_with_volume() -> None:
    value, low, high = fit(trials(10, (2.0, 3.0, 4.0))).probability(np.geomspace(0.3, 30, 20), 0.2)
    assert (low <= value).all() and (value <= high).all()
    assert (np.diff(value) > 0).all()


def test_one_contrast_is_enough() -> None:
    given = trials(30, (2.0, 3.0, 4.0))
    kept = given.contrast == 0.2
    one = Trials(*(values[kept] for values in (given.volume_ml, given.contrast, given.found, given.subjects)))
    curve = fit(one)
    assert curve.coefficients[2] == 0
    assert 0.5 < curve.smallest_found(0.2)[0] < 20


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (lambda t: t.volume_ml == 3, "only one volume"),
        (lambda t: t.volume_ml < 0, "no implanted lesion"),
        (lambda t: (t.volume_ml == 1) & (t.contrast == 0.1) | (t.volume_ml == 30) & (t.contrast == 0.4), "together"),
    ],
)
def test_what_cannot_be_fitted_says_why(kept, reason: str) -> None:
    given = trials(15, (2.0, 3.0, 4.0))
    chosen = kept(given)
    some = Trials(*(values[chosen] for values in (given.volume_ml, given.contrast, given.found, given.subjects)))
    assert reason in fit(some)


def test_unknown_outcomes_are_left_out() -> None:
    given = trials(5, (2.0, 3.0, 4.0))
    assert "no implanted lesion" in fit(trials(5))
    more = Trials(
        np.append(given.volume_ml, 3.0),
        np.append(given.contrast, 0.2),
        np.append(given.found, np.nan),
        np.append(given.subjects, "9"),
    )
    assert fit(more).coefficients == pytest.approx(fit(given).coefficients)


@pytest.mark.parametrize(("found", "number", "low", "high"), [(0, 10, 0, 0.2775), (3, 10, 0.1078, 0.6032), (10, 10, 0.7225, 1)])
def test_wilson_equals_published_values(found: float, number: int, low: float, high: float) -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, method 3
    assert wilson(found, number) == pytest.approx((low, high), abs=1e-4)
    assert np.isnan(wilson(0, 0)).all()


def test_observed_shares_count_trials() -> None:
    given = Trials(
        np.array([1.0, 1.0, 3.0, 3.0]), np.array([0.2, 0.2, 0.2, 0.4]), np.array([1.0, 0.5, 0.0, 1.0]), np.array(list("abab"))
    )
    rows = observed(given, given.contrast == 0.2)
    assert [(row[0], row[1], row[4]) for row in rows] == [(1.0, 0.75, 2), (3.0, 0.0, 1)]


@pytest.mark.parametrize("found", [0.0, 0.5, 1.0])
def test_an_interval_holds_its_share(found: float) -> None:
    for number in range(1, 200):
        low, high = wilson(found * number, number)
        assert low <= found <= high, f"{found * number} of {number}: an error bar of negative length"
