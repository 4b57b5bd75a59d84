from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from madad.core.io.manifest import write_table
from madad.evaluation.results.sample_covariates import join_samples, read_samples, write_samples
from madad.evaluation.statistics.detectability import ABOVE_ALL, BELOW_ALL
from madad.reporting.figures.detectability import draw_curves, draw_detectability
from madad.reporting.layout import style
from madad.reporting.tables.detectability import detections, volume_text, write_detectability
from tests.reporting import implanted_results, seen

DRAW = {"volumes": draw_detectability, "curves": draw_curves}


@pytest.fixture(scope="module")
def implanted(tmp_path_factory):
    return implanted_results.build(tmp_path_factory.mktemp("implanted"))


def table(made, folder: Path) -> tuple[list[dict[str, str]], str]:
    paths = {kind: folder / f"table.{kind}" for kind in ("csv", "tex", "html")}
    write_detectability(made.metrics, made.samples, **paths)
    return list(csv.DictReader(paths["csv"].open())), paths["html"].read_text()


def draw(name: str, made, folder: Path) -> list[Path]:
    paths = [folder / f"{name}.png", folder / f"{name}.pdf"]
    DRAW[name](made.metrics, made.samples, *paths)
    return paths


def said(monkeypatch) -> list[str]:
    texts: list[str] = []
    real = style.empty
    monkeypatch.setattr(style, "empty", lambda reason: texts.append(reason) or real(reason))
    return texts


def test_table_has_a_column_for_every_round_contrast_that_was_seen_and_ranks_as_simulated(implanted, tmp_path) -> None:
    rows, page = table(implanted, tmp_path)
    assert [row["Method"] for row in rows] == ["weak", "strong"]
    assert [name for name in rows[0] if name.startswith("V80")] == [f"V80 at contrast {c} (ml) ↓" for c in ("0.2", "0.3", "0.4")]
    for contrast in ("0.2", "0.4"):
        weak, strong = (row[f"V80 at contrast {contrast} (ml) ↓"] for row in rows)
        assert weak.startswith("> 30")
        assert not strong.startswith((">", "–"))
    value, bounds = rows[1]["V80 at contrast 0.2 (ml) ↓"].split(" ", 1)
    assert 1 < float(value) < 5
    assert bounds.startswith("[")
    assert float(rows[0]["Found"]) < float(rows[1]["Found"])
    assert {(row["Lesions"], row["Subjects"]) for row in rows} == {("48", "6")}
    assert "Firth" in page


def test_outcomes_are_averaged_over_seeds(implanted) -> None:
    metrics = pd.read_csv(implanted.metrics)
    own = metrics[
        (metrics.metric == "lesion_sensitivity") & (metrics.protocol == "one_fp_per_scan") & (metrics.method == "strong")
    ]
    (found,) = detections(implanted.metrics, implanted.samples).values()
    strong = next(one for one in found if one.method == "strong")
    assert strong.trials.found.mean() == pytest.approx(own.value.mean())
    assert set(strong.trials.found) <= {0.0, 0.5, 1.0}
    known = read_samples(implanted.samples)
    assert sorted(strong.trials.volume_ml) == sorted(known["volume_ml"].dropna())


def test_partly_found_is_found(tmp_path) -> None:
    made = implanted_results.build(
        tmp_path, change=lambda rows: rows.assign(value=rows["value"].where(rows["metric"] != "lesion_sensitivity", 0.25))
    )
    (found,) = detections(made.metrics, made.samples).values()
    assert all((one.trials.found == 1).all() for one in found)


def test_false_alarms_are_those_of_healthy_test_scans(tmp_path) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        components = rows["metric"] == "false_positive_components"
        healthy = np.where(rows["protocol"] == "one_fp_per_scan", 3.0, 70.0)
        return rows.assign(value=rows["value"].mask(components, np.where(rows["group"] == "healthy", healthy, 50.0)))

    rows, _ = table(implanted_results.build(tmp_path, change=change), tmp_path)
    assert {row["FP/scan"].split()[0] for row in rows} == {"3.00"}


def test_no_healthy_scan_and_no_threshold_are_said(tmp_path) -> None:
    def change(rows: pd.DataFrame) -> pd.DataFrame:
        lost = (rows["method"] == "weak") & (rows["protocol"] == "one_fp_per_scan")
        return rows.assign(value=rows["value"].mask(lost))[rows["group"] != "healthy"]

    made = implanted_results.build(tmp_path, change=change)
    rows, page = table(made, tmp_path)
    assert rows[0]["V80 at contrast 0.2 (ml) ↓"] == rows[0]["Found"] == "–"
    assert {row["FP/scan"] for row in rows} == {"–"}
    assert "weak: no implanted lesion has an outcome" in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)


def test_few_subjects_have_no_interval(tmp_path) -> None:
    made = implanted_results.build(tmp_path, subjects=5)
    rows, page = table(made, tmp_path)
    values = [row["V80 at contrast 0.4 (ml) ↓"] for row in rows]
    assert "–" not in values and all("[" not in value for value in values)
    assert "No interval with fewer than 6 subjects" in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)


def test_few_lesions_have_no_v80_and_the_table_says_so(tmp_path) -> None:
    made = implanted_results.build(tmp_path, subjects=3, seeds=("0",))
    rows, page = table(made, tmp_path)
    assert {row[name] for row in rows for name in row if name.startswith("V80")} == {"–"}
    assert {row["Lesions"] for row in rows} == {"24"}
    assert "weak, strong: 24 lesions, at least 30 are needed for a curve; raise implanted.per_subject." in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)


def test_one_method_and_one_volume_are_said(tmp_path) -> None:
    def known(samples: pd.DataFrame) -> pd.DataFrame:
        return samples.assign(volume_ml=samples["volume_ml"].mask(samples["volume_ml"] != 10))

    made = implanted_results.build(tmp_path, {"only": (0.0, 1.0, 1.0)}, known=known)
    rows, page = table(made, tmp_path)
    assert rows[0]["V80 at contrast 0.4 (ml) ↓"] == "–"
    assert "only: only one volume was tried (10 ml)" in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)


def test_curve_is_read_at_the_contrast_that_was_seen_and_not_at_the_one_ordered(tmp_path) -> None:
    """As in FLAIR, whose tissue is near the upper end of the normal range: 0.4 became 0.15 to 0.21; dark lesions count alike."""

    def known(samples: pd.DataFrame) -> pd.DataFrame:
        shown = samples["asked_contrast"].map({0.2: 0.1, 0.4: 0.18}) * (1 + (samples["subject"].str[1:].astype(float) - 2.5) / 15)
        return samples.assign(contrast=-shown)

    made = implanted_results.build(tmp_path, known=known)
    rows, page = table(made, tmp_path)
    assert [name for name in rows[0] if name.startswith("V80")] == [f"V80 at contrast {c} (ml) ↓" for c in ("0.1", "0.15", "0.2")]
    assert "own-implanted, T1w: of the contrasts that were ordered, 0.2 was seen as 0.1 (0.083 to 0.12)" in page
    assert "0.4 was seen as 0.18 (0.15 to 0.21)" in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)


def test_contrast_of_no_lesion_is_not_read(tmp_path) -> None:
    def known(samples: pd.DataFrame) -> pd.DataFrame:
        return samples.assign(contrast=samples["contrast"].where(samples["contrast"].isna(), 0.37))

    made = implanted_results.build(tmp_path, known=known)
    rows, _ = table(made, tmp_path)
    assert [name for name in rows[0] if name.startswith("V80")] == ["V80 at contrast 0.37 (ml) ↓"]


def test_real_lesions_are_no_trials(tmp_path) -> None:
    def known(samples: pd.DataFrame) -> pd.DataFrame:
        return samples.assign(asked_contrast=np.nan)

    assert detections(*(lambda made: (made.metrics, made.samples))(implanted_results.build(tmp_path, known=known))) == {}


def test_test_set_without_implanted_lesions_is_said(tmp_path, monkeypatch) -> None:
    texts = said(monkeypatch)
    made = implanted_results.build(tmp_path, known=lambda samples: samples.assign(volume_ml=np.nan, asked_contrast=np.nan))
    rows, page = table(made, tmp_path)
    assert rows == []
    assert "No test set has lesions of known volume and contrast" in page
    assert all(draw(name, made, tmp_path)[0].exists() for name in DRAW)
    assert len(texts) == 2


@pytest.mark.parametrize("name", DRAW)
def test_figures_have_the_same_bytes_each_time(name: str, implanted, tmp_path) -> None:
    first, second = ([path.read_bytes() for path in draw(name, implanted, tmp_path / turn)] for turn in ("a", "b"))
    assert first == second
    assert first[0].startswith(b"\x89PNG") and first[1].startswith(b"%PDF")


@pytest.mark.parametrize("name", DRAW)
def test_twelve_methods_with_long_names_are_legible(name: str, tmp_path, monkeypatch) -> None:
    abilities = {f"method_number_{place:02d}_with_a_name": (place - 4.0, 3.0, 3.0) for place in range(12)}
    made = implanted_results.build(tmp_path, abilities, seeds=("0",))
    figures = seen.caught(monkeypatch)
    draw(name, made, tmp_path)
    assert not seen.collisions(figures[0])
    assert all(method in seen.words(figures[0]) for method in abilities)


def test_evaluated_maps_of_known_samples_make_a_table(toy, tmp_path) -> None:
    pack = toy.made.packs("phantom-implanted")[1]
    write_samples(pack, [], "phantom-implanted", tmp_path / "bare.tsv")
    rows = pd.read_csv(tmp_path / "bare.tsv", sep="\t", dtype=str)
    lesions = list(rows.loc[rows["group"] == "implanted", "sample"])
    ordered = [
        {"name": name, "volume_ml": str(1 + place % 2), "contrast": "0.3", "seen_contrast": "0.28"}
        for place, name in enumerate(lesions)
    ]
    write_table(tmp_path / "test.tsv", ordered, ("name", "volume_ml", "contrast", "seen_contrast"))
    write_samples(pack, [tmp_path / "test.tsv"], "phantom-implanted", tmp_path / "samples.tsv")
    join_samples([tmp_path / "samples.tsv"], tmp_path / "samples.csv")
    toy.samples = tmp_path / "samples.csv"
    made, _ = table(toy, tmp_path)
    assert {row["Method"] for row in made} == {"intensity", "ddpm"}
    assert all(row["Found"] != "–" and row["FP/scan"] != "–" for row in made)


@pytest.mark.parametrize(("volume", "text"), [(BELOW_ALL, "< 1"), (ABOVE_ALL, "> 30"), (4.24, "4.2"), (12.3, "12")])
def test_volumes_outside_the_grid_are_told_by_its_ends(volume: float, text: str) -> None:
    assert volume_text(volume, (1.0, 30.0)) == text
