"""Histograms before and after normalisation, and the distance between images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from madad.core.io.manifest import write_table
from madad.core.io.volumes import Volume, save_volume
from madad.data.preprocessing import quality_control
from madad.data.preprocessing.steps import intensity
from madad.reporting.figures import normalisation
from tests.reporting import seen

PERCENTILE = {"method": "percentile", "lower": 1.0, "upper": 99.0}


def cohort(root: Path, name: str, scales: list[float], sites: tuple[str, ...] = ("",), verdict: str = "ok") -> Path:
    """Images that differ in scale and offset alone."""
    rows = []
    for number, scale in enumerate(scales):
        values = np.random.default_rng(number).normal(10, 2, (16, 16, 16))
        brain = np.zeros(values.shape, dtype=np.uint8)
        brain[2:14, 2:14, 2:14] = 1
        image, mask = root / name / f"{number}.nii.gz", root / name / f"{number}_brain.nii.gz"
        save_volume(image, Volume((values * scale * brain).astype(np.float32), np.eye(4)))
        save_volume(mask, Volume(brain, np.eye(4)))
        known = {"subject": f"sub-{number:02d}", "split": "train", "modality": "T2w", "site": sites[number % len(sites)]}
        rows.append({**known, "image": str(image), "brain": str(mask), "verdict": verdict})
    path = root / "results/quality" / name / "standard.tsv"
    write_table(path, rows, quality_control.COLUMNS)
    return path


def model(root: Path) -> Path:
    path = root / "results/intensity/standard/T2w.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(PERCENTILE))
    return path


def test_distance_is_that_of_wasserstein_over_the_spread() -> None:
    generator = np.random.default_rng(0)
    images = [generator.normal(0, 1, 4000), generator.normal(1, 2, 4000), generator.gamma(2, 1, 3000)]
    pairs = [wasserstein_distance(images[a], images[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    spread = np.concatenate([np.quantile(image, normalisation.QUANTILES) for image in images]).std()
    assert normalisation.mean_distance(images) == pytest.approx(np.mean(pairs) / spread, rel=0.01)


def test_distance_by_hand_does_not_depend_on_units() -> None:
    """Two constants a and b: their distance is |a - b|, the standard deviation of both together half of it."""
    images = [np.full(100, 3.0), np.full(100, 7.0)]
    assert normalisation.mean_distance(images) == pytest.approx(2)
    assert normalisation.mean_distance([1000 * image + 5 for image in images]) == pytest.approx(2)
    assert normalisation.mean_distance([images[0], images[0]]) == 0
    assert np.isnan(normalisation.mean_distance(images[:1]))


def test_normalisation_brings_images_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = seen.caught(monkeypatch)
    tables = [cohort(tmp_path, "one", [1.0, 2.0, 5.0], ("A", "B")), cohort(tmp_path, "two", [3.0])]
    normalisation.draw_normalisation(tables, [model(tmp_path)], "T2w", tmp_path / "n.png", tmp_path / "n.pdf")
    said = seen.words(figures[0])
    before, after = (float(said.split(f"one, {word}: distance ")[1].split(" ")[0]) for word in ("before", "after"))
    assert before > 0.8 and after < 0.1
    assert "two, after: one image" in said and "all cohorts, after: distance" in said
    assert {"one A", "one B", "two"} <= set(said.split("\n"))
    assert not seen.collisions(figures[0])
    assert [len(axes.lines) for axes in figures[0].axes] == [3, 3, 1, 1, 4, 4]


def test_every_method_has_a_panel_and_the_one_in_use_stands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = seen.caught(monkeypatch)
    table = cohort(tmp_path, "one", [1.0, 2.0, 5.0])
    normalisation.draw_methods([table], {**PERCENTILE, "method": "nyul"}, "T2w", tmp_path / "m.png", tmp_path / "m.pdf")
    panels = figures[0].axes
    panels = [axes for axes in panels if axes.axison]
    titles = ["Not normalised", *(normalisation.TITLES[method] for method in intensity.METHODS)]
    assert [axes.get_title("left").split("\n")[0] for axes in panels] == titles
    bold = [axes.get_title("left") for axes in panels if axes._left_title.get_fontweight() == "bold"]
    assert len(bold) == 1 and bold[0].startswith("Nyúl")
    assert not seen.collisions(figures[0])


def test_a_method_that_needs_more_images_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = seen.caught(monkeypatch)
    table = cohort(tmp_path, "one", [1.0])
    normalisation.draw_methods([table], PERCENTILE, "T2w", tmp_path / "m.png", tmp_path / "m.pdf")
    assert "need at least 2" in seen.words(figures[0]).replace("\n", " ")


@pytest.mark.parametrize("verdict", ["excluded", "failed"])
def test_what_is_left_out_is_not_drawn(verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = seen.caught(monkeypatch)
    table = cohort(tmp_path, "one", [1.0, 2.0], verdict=verdict)
    normalisation.draw_normalisation([table], [model(tmp_path)], "T2w", tmp_path / "n.png", tmp_path / "n.pdf")
    normalisation.draw_methods([table], PERCENTILE, "T2w", tmp_path / "m.png", tmp_path / "m.pdf")
    assert "No T2w image" in seen.words(figures[0]) and "No T2w image to train on" in seen.words(figures[1])


def test_many_images_are_thinned_evenly_and_bytes_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normalisation, "MOST_IMAGES", 3)
    table = cohort(tmp_path, "one", [1.0 + 0.1 * number for number in range(7)])
    made = []
    for turn in ("a", "b"):
        png = tmp_path / f"{turn}.png"
        normalisation.draw_normalisation([table], [model(tmp_path)], "T2w", png, tmp_path / f"{turn}.pdf")
        made.append(png.read_bytes())
    assert made[0] == made[1]
    figures = seen.caught(monkeypatch)
    normalisation.draw_normalisation([table], [model(tmp_path)], "T2w", tmp_path / "n.png", tmp_path / "n.pdf")
    assert "3 of 7 images" in seen.words(figures[0]) and len(figures[0].axes[0].lines) == 3
