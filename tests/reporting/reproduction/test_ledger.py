from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from scipy import stats

from madad.configuration import cards
from madad.evaluation.results.collected import BLOCK
from madad.evaluation.statistics.rankings import PAIR_COLUMNS
from madad.evaluation.statistics.summary import COLUMNS as SUMMARY
from madad.reporting.reproduction import papers
from madad.reporting.reproduction.ledger import COLUMNS, write_ledger
from madad.reporting.reproduction.trained_methods import Trained, gather, place

COHORTS = {
    "healthy": {"dataset": "IXI", "spacing_mm": 3.0},
    "ms": {"dataset": "MSLUB", "spacing_mm": 3.0},
    "own": {"dataset": None, "spacing_mm": 3.0},
}


def training(folder: Path, method: str, *, base: str | None = None, seed: int = 0, cohort: str = "healthy", **given) -> Path:
    """A `train.json` with the card's defaults but for what is given; a training does not know the settings of inference."""
    whole = cards.resolve(base or method, {}, {}, "T2w")
    parameters = cards.of_training(base or method, {**whole["parameters"], **given.get("parameters", {})})
    options = {**whole["training"], **given.get("options", {})}
    told = {
        "identity": {"cohort": cohort, "modality": "T2w", "method": method, "seed": str(seed)},
        "parameters": parameters,
        "options": options,
        "parts": given.get("parts", {}),
        "data": {"training": {"subjects": given.get("subjects", 358), "content": "x"}},
        "steps": options.get("steps", 0),
    }
    path = folder / f"{method}-{cohort}-{seed}.json"
    path.write_text(json.dumps(told))
    return path


def summary(folder: Path, *lines: tuple) -> Path:
    """A summary of (testset, modality, method, measure, value, low, high), trained on `healthy`."""
    rows = []
    for testset, modality, method, measure, value, low, high in lines:
        row = {"cohort": "healthy", "modality": modality, "testset": testset, "method": method, "measure": measure}
        rows.append({**row, "value": value, "low": low, "high": high, "subjects": 7, "missing": 0, "seeds": 1, "best": 0})
    pd.DataFrame(rows, columns=list(SUMMARY)).to_csv(folder / "summary.csv", index=False)
    return folder / "summary.csv"


def write_pairs(folder: Path, *lines: tuple) -> Path:
    """Pairs of our methods as (first, second, measure, sd_first, sd_second, congruence)."""
    keys = ("first", "second", "measure", "sd_first", "sd_second", "congruence")
    rows = [{**dict.fromkeys(BLOCK, "x"), **dict(zip(keys, line, strict=True))} for line in lines]
    pd.DataFrame(rows, columns=list(PAIR_COLUMNS)).to_csv(folder / "comparisons.csv", index=False)
    return folder / "comparisons.csv"


def complete(base: str, **parameters: object) -> dict[str, dict]:
    """All parameters of a method, by sequence."""
    return {"T2w": cards.resolve(base, parameters, {}, "T2w")["parameters"]}


def ledger(
    folder: Path,
    lines: list[tuple],
    trainings: list[Path],
    bases: dict[str, str],
    parts: dict | None = None,
    settings: dict | None = None,
    comparisons: Path | None = None,
) -> str:
    """Write a ledger; returns the page without tags, with a § before every chapter; the files are l.csv, l.tex and l.html."""
    out = [folder / f"l.{kind}" for kind in ("csv", "tex", "html")]
    settings = settings or {name: complete(base) for name, base in bases.items() if base in cards.names()}
    pairs = comparisons or write_pairs(folder)
    write_ledger(summary(folder, *lines), pairs, trainings, bases, settings, parts or {}, COHORTS, *out)
    page = re.sub(r"<(style|title)>.*?</\1>", "", (folder / "l.html").read_text(), flags=re.S)
    page = page.replace("<h2", "§<h2")
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page).replace("&#39;", "'").replace("&lt;", "<"))


def rows(folder: Path, **wanted: str) -> list[dict[str, str]]:
    """Lines of the csv file with these entries."""
    table = list(csv.DictReader((folder / "l.csv").open()))
    return [row for row in table if all(row[key] == value for key, value in wanted.items())]


MS = ("ms", "T2w", "ddpm")


def test_every_empty_cell_says_what_it_waits_for(tmp_path) -> None:
    ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    lines = list(csv.DictReader((tmp_path / "l.csv").open()))
    assert all(bool(line["waits_for"]) != bool(line["value"]) for line in lines if line["published"])

    def waits(method: str, dataset: str, metric: str = "Dice") -> str:
        (known,) = rows(tmp_path, paper="pDDPM", method=method, dataset=dataset, metric=metric)
        return known["waits_for"]

    assert waits("DDPM", "MSLUB", "AUPRC") == "a value: the measure has none in this run"
    assert waits("VAE", "MSLUB") == "a run of vae"
    assert waits("DDPM", "BraTS21").startswith("BraTS21, T2w (Registration") and waits("DDPM", "BraTS21").endswith(", and a GPU")
    assert not waits("Thresh", "BraTS21").endswith("GPU")


def test_every_number_is_on_a_line_of_its_own(tmp_path) -> None:
    lines = [(*MS, "dice_published", 0.05, 0.02, 0.08), (*MS, "auprc_published", 0.2, 0.15, 0.25)]
    ledger(tmp_path, lines, [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    numbers = list(csv.DictReader((tmp_path / "l_numbers.csv").open()))
    own = [row for row in numbers if row["group"].startswith("pDDPM") and row["row"] == "DDPM" and row["value"]]
    (ours,) = [row for row in own if row["column"].startswith("MSLUB") and row["column"].endswith("Dice (%), ours")]
    assert [float(ours[key]) for key in ("value", "lower", "upper", "n")] == pytest.approx([5, 2, 8, 7])
    (published,) = [row for row in own if row["column"] == ours["column"].removesuffix(", ours")]
    (known,) = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="MSLUB", metric="Dice")
    assert float(published["value"]) == pytest.approx(float(known["published"])) and published["lower"] == published["n"] == ""


def test_value_stands_beside_the_published_one(tmp_path) -> None:
    lines = [(*MS, "dice_published", 0.05, 0.02, 0.08), (*MS, "auprc_published", 0.2, 0.15, 0.25)]
    page = ledger(tmp_path, lines, [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    (dice,) = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="MSLUB", metric="Dice")
    expected = {"published": "6.42", "published_spread": "1.6", "certainty": "text", "ours": "ddpm", "testset": "ms"}
    expected |= {"measure": "dice_published", "exact": "1", "value": "5", "low": "2", "high": "8", "subjects": "7"}
    assert {key: dice[key] for key in expected} == expected
    assert tuple(dice) == COLUMNS
    assert "6.42 ± 1.60 5.00 [2.00, 8.00]" in page
    html = (tmp_path / "l.html").read_text()
    # the published 6.42 lies inside our interval, the published AUPRC of 7.44 below it
    assert 'class="good">5.00 [2.00, 8.00]' in html and 'class="doubtful">20.00 [15.00, 25.00]' in html


def test_rows_and_columns_keep_the_order_of_the_paper(tmp_path) -> None:
    ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    paper = next(paper for paper in papers.load() if paper["name"] == "mDDPM")["tables"][0]
    written = rows(tmp_path, paper="mDDPM", certainty="text")
    assert list(dict.fromkeys(row["method"] for row in written)) == [row["name"] for row in paper["rows"]]
    first = [(row["dataset"], row["metric"]) for row in written[:4]]
    assert first == [(column["dataset"], column["metric"]) for column in paper["columns"]]


def test_another_sequence_or_data_set_is_not_the_same(tmp_path) -> None:
    lines = [
        ("ms", "T1w", "ddpm", "dice_published", 0.05, 0.02, 0.08),
        ("own", "T2w", "ddpm", "dice_published", 0.5, 0.4, 0.6),
        ("ms-implanted", "T2w", "ddpm", "dice_published", 0.7, 0.6, 0.8),
    ]
    page = ledger(tmp_path, lines, [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    assert not rows(tmp_path, exact="1")
    (dice,) = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="MSLUB", metric="Dice")
    assert (dice["published"], dice["value"]) == ("6.42", "")
    others = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="", metric="Dice")
    assert [(row["testset"], row["value"], row["published"], row["exact"]) for row in others] == [
        ("ms", "5", "", "0"),
        ("own", "50", "", "0"),
        ("ms-implanted", "70", "", "0"),
    ]
    assert "other data: own, T2w" in page
    assert "MSLUB was tested in T1w alone: add T2w to `modalities`." in page
    assert "BraTS21 (T2w) is not among the test sets: give its cohort `dataset: BraTS21`" in page


def test_nearest_measure_is_marked(tmp_path) -> None:
    lines = [("ms", "T2w", "intensity", "dice_validation", 0.0621, 0.01, 0.1)]
    page = ledger(tmp_path, lines, [training(tmp_path, "intensity")], {"intensity": "intensity"})
    assert "6.21 ≈ 6.21 [1.00, 10.00]" in page
    (dice,) = rows(tmp_path, paper="pDDPM", method="Thresh", dataset="MSLUB", metric="Dice")
    assert (dice["measure"], dice["exact"]) == ("dice_validation", "0")
    assert "≈" not in "".join(line for line in (tmp_path / "l.tex").read_text().splitlines() if not line.startswith("%"))


def test_healthy_error_counts_on_implanted_test_sets_too(tmp_path) -> None:
    lines = [("healthy-implanted", "T2w", "ddpm", "l1_published", 0.0135, 0.013, 0.014)]
    ledger(tmp_path, lines, [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    (error,) = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="IXI")
    assert (error["published"], error["value"], error["exact"]) == ("13.46", "13.5", "1")


def test_each_method_stands_in_the_row_it_comes_nearest_to(tmp_path) -> None:
    levels = {"plain": [500], "ens": [250, 500, 750], "other": [100], "ssl": [250, 500, 750]}
    settings = {name: complete("cddpm", test_timesteps=steps) for name, steps in levels.items()}
    trained = gather(
        [training(tmp_path, name, base="cddpm", parts={"pretraining": "f"} if name == "ssl" else {}) for name in levels],
        dict.fromkeys(levels, "cddpm"),
        settings,
    )
    table = next(paper for paper in papers.load() if paper["name"] == "cDDPM")["tables"][1]
    found = {
        row["name"]: [method.method for method in own]
        for row, own in zip(table["rows"], place(table["rows"], trained), strict=True)
    }
    assert {name: own for name, own in found.items() if own} == {
        "cDDPM": ["plain", "other"],
        "cDDPM, ENS or SSL": ["ens"],
        "cDDPM, ENS and SSL": ["ssl"],
    }
    lines = [("ms", "T2w", "other", "dice_published", 0.05, 0.02, 0.08)]
    page = ledger(tmp_path, lines, [tmp_path / "other-healthy-0.json"], {"other": "cddpm"}, settings=settings)
    assert "other comes nearest to the row “cDDPM”, but has test_timesteps [100] instead of [500]." in page


def test_gain_is_relative_to_the_part(tmp_path) -> None:
    lines = [
        ("ms", "T2w", "mhd", "auprc_published", 0.3, 0.2, 0.4),
        ("ms", "T2w", "cddpm", "auprc_published", 0.2, 0.1, 0.3),
    ]
    trainings = [training(tmp_path, "mhd", parts={"model": "f"}), training(tmp_path, "cddpm", options={"steps": 10})]
    page = ledger(tmp_path, lines, trainings, {"mhd": "mhd", "cddpm": "cddpm"}, {"mhd": {"model": "cddpm"}})
    (gain,) = rows(tmp_path, paper="MHD", dataset="MSLUB")
    assert (gain["published"], gain["value"], gain["low"]) == ("48", "50", "")
    # what the part was trained with is a reason as well
    assert "cddpm, other than its card's published settings: steps 10 instead of 14,400." in page.partition("gap to MHD")[2]


def test_reasons_come_from_the_run(tmp_path) -> None:
    given = {
        "options": {"steps": 400, "batch_size": 16},
        "parameters": {"base_channels": 16, "slices_per_pass": 1},
        "subjects": 80,
    }
    page = ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm", **given)], {"ddpm": "ddpm"})
    reasons = page.partition("gap to cDDPM")[2].partition("§")[0]
    assert "Trained on 80 subjects instead of 358." in reasons
    assert "Voxels of 3 mm instead of 2 mm." in reasons
    assert "One training a method instead of 5 folds or seeds." in reasons
    assert "steps 400 instead of 19,000; batch_size 16 instead of 32; base_channels 16 instead of 128." in reasons
    assert "slices_per_pass" not in page and "Trained on healthy" not in reasons
    assert "MSLUB: 7 test subjects instead of 20." in page


def test_nothing_to_say_of_a_run_like_the_paper(tmp_path) -> None:
    trainings = [training(tmp_path, "ddpm", seed=seed) for seed in range(5)]
    page = ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], trainings, {"ddpm": "ddpm"})
    reasons = page.partition("gap to cDDPM")[2].partition("§")[0]
    assert "seeds" not in reasons and "other than its card" not in reasons and "subjects instead" not in reasons


def test_cohort_without_a_data_set_is_told(tmp_path) -> None:
    lines = [("ms", "T2w", "ddpm", "dice_published", 0.05, 0.02, 0.08)]
    file = summary(tmp_path, *lines)
    pd.read_csv(file).assign(cohort="own").to_csv(file, index=False)
    trainings = [training(tmp_path, "ddpm", cohort="own")]
    out = [tmp_path / f"l.{kind}" for kind in ("csv", "tex", "html")]
    write_ledger(file, write_pairs(tmp_path), trainings, {"ddpm": "ddpm"}, {}, {}, COHORTS, *out)
    assert "Trained on own (which has no `dataset` in the configuration) instead of IXI." in (tmp_path / "l.html").read_text()


def test_two_training_cohorts_are_two_rows(tmp_path) -> None:
    trainings = [training(tmp_path, "ddpm"), training(tmp_path, "ddpm", cohort="own")]
    page = ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], trainings, {"ddpm": "ddpm"})
    assert "ddpm, trained on healthy" in page and "ddpm, trained on own" in page
    both = rows(tmp_path, paper="pDDPM", method="DDPM", dataset="MSLUB", metric="Dice")
    assert [(row["trained_on"], row["value"]) for row in both] == [("healthy", "5"), ("own", "")]


def test_run_without_a_published_method_says_so(tmp_path) -> None:
    page = ledger(tmp_path, [("ms", "T2w", "mine", "auprc", 0.5, 0.4, 0.6)], [], {"mine": "mine"})
    assert "No table of a paper has a row for a method of this run." in page
    assert "No table of a paper" in (tmp_path / "l.tex").read_text()
    assert (tmp_path / "l.csv").read_text().splitlines() == [",".join(COLUMNS)]


def test_papers_without_numbers_are_told_and_tables_without_a_measure_shown(tmp_path) -> None:
    lines = [("ms", "T2w", "conddiff", "auprc", 0.1, 0.05, 0.2), (*MS, "auprc", 0.1, 0.05, 0.2)]
    trainings = [training(tmp_path, "conddiff"), training(tmp_path, "ddpm")]
    page = ledger(tmp_path, lines, trainings, {"conddiff": "conddiff", "ddpm": "ddpm"})
    shown = page.partition("Not shown")[2]
    assert "CondDiff (arXiv 2506.10233), conddiff" in shown
    unmeasured = rows(tmp_path, paper="cDDPM", table="Table 4", ours="ddpm")
    assert [row["published"] for row in unmeasured[:4]] == ["44.42", "6.05", "14.65", "10.27"]
    assert {row["value"] for row in unmeasured} == {""}
    assert "Nothing is measured here in this way" in page


def test_every_published_number_says_how_it_was_made(tmp_path) -> None:
    page = ledger(tmp_path, [(*MS, "auprc", 0.1, 0.05, 0.2)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    published = [row for row in rows(tmp_path) if row["published"]]
    assert all(row[key] for row in published for key in ("slices", "resolution", "definition", "threshold"))
    (dice,) = rows(tmp_path, paper="mDDPM", method="DDPM", dataset="MSLUB", metric="Dice")
    assert dice["resolution"] == "96×96×50 voxels of 2 mm" and dice["slices"] == "all 50 axial slices of a volume"
    assert dice["threshold"].startswith("text: best mean Dice on the test set; released code: from validation")
    (best,) = rows(tmp_path, paper="MAD-AD", table="Table 2", method="DDPM", modality="FLAIR")
    assert best["threshold"] == "best of 201 on the test labels" and "largest tumour" in best["slices"]
    assert "Slices: all 50 axial slices of a volume. Resolution: 96×96×50 voxels of 2 mm." in page
    assert "Max Dice: mean over test slices of the Dice of each. Threshold: best of 201 on the test labels." in page


@pytest.mark.parametrize("method", ["ae", "andi", "dae", "disyre", "f_anogan", "svae", "vae"])
def test_baseline_stands_beside_its_published_numbers(tmp_path, method: str) -> None:
    page = ledger(tmp_path, [("ms", "T2w", method, "auprc", 0.1, 0.05, 0.2)], [training(tmp_path, method)], {method: method})
    assert "No published number" not in page
    assert any(row["published"] for row in rows(tmp_path, ours=method))


def test_method_without_a_published_number_is_named(tmp_path) -> None:
    page = ledger(
        tmp_path, [("ms", "T2w", "random", "auprc", 0.1, 0.05, 0.2)], [training(tmp_path, "random")], {"random": "random"}
    )
    assert "No published number is at hand for random." in page


def test_certainty_is_marked(tmp_path) -> None:
    page = ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    assert "published [fig]" in page and "[fig]: decoded from a figure" in page
    assert {row["certainty"] for row in rows(tmp_path, paper="MCDDPM", dataset="MSLUB")} == {"fig"}


def test_recalled_row_is_marked_in_its_cell(tmp_path, monkeypatch) -> None:
    paper = yaml.safe_load((papers.FOLDER / "mhd.yaml").read_text())
    paper["tables"][0]["rows"][0] |= {"card": "ddpm", "certainty": "recall"}
    del paper["tables"][0]["rows"][0]["relative_to"]
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "a.yaml").write_text(yaml.safe_dump(paper))
    monkeypatch.setattr(papers, "FOLDER", tmp_path / "papers")
    page = ledger(tmp_path, [(*MS, "auprc", 0.1, 0.05, 0.2)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    assert "15.9 [recall]" in page and "[recall]: from memory, to be checked" in page


def test_latex_has_a_float_for_every_table(tmp_path) -> None:
    trainings = [training(tmp_path, "ddpm"), training(tmp_path, "mad_ad"), training(tmp_path, "intensity")]
    lines = [("ms", "T2w", method, "auprc", 0.1, 0.05, 0.2) for method in ("ddpm", "mad_ad", "intensity")]
    ledger(tmp_path, lines, trainings, {name: name for name in ("ddpm", "mad_ad", "intensity")})
    text = (tmp_path / "l.tex").read_text()
    tables = {(row["paper"], row["table"]) for row in rows(tmp_path)}
    assert text.count("\\begin{table*}") == text.count("\\end{table*}") >= len(tables) >= 12
    printed = "".join(line for line in text.splitlines() if not line.startswith("%"))
    assert printed.isascii() and "$\\gamma$" in printed


def test_same_bytes_again(tmp_path) -> None:
    lines, trainings = [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")]
    ledger(tmp_path, lines, trainings, {"ddpm": "ddpm"})
    first = [(tmp_path / f"l.{kind}").read_bytes() for kind in ("csv", "tex", "html")]
    ledger(tmp_path, lines, trainings, {"ddpm": "ddpm"})
    assert first == [(tmp_path / f"l.{kind}").read_bytes() for kind in ("csv", "tex", "html")]


def test_page_needs_nothing_from_outside(tmp_path) -> None:
    ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    html = (tmp_path / "l.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#)", html) and "<script" not in html


@pytest.mark.parametrize("method", ["ddpm", "mddpm", "cddpm", "mad_ad", "ldm", "inpainting", "vae3d", "intensity", "mhd"])
def test_defaults_of_the_card_are_no_difference(tmp_path, method: str) -> None:
    (trained,) = gather([training(tmp_path, method)], {method: method}, {method: complete(method)})
    assert isinstance(trained, Trained) and trained.differences({}) == []


def test_published_win_says_how_likely_it_is_chance(tmp_path) -> None:
    trainings = [training(tmp_path, "ddpm"), training(tmp_path, "pddpm")]
    pairs = write_pairs(
        tmp_path, ("ddpm", "pddpm", "dice_validation", 0.08, 0.08, 0.5), ("a", "b", "dice_validation", 0.3, 0.3, 0.1)
    )
    page = ledger(
        tmp_path,
        [(*MS, "dice_published", 0.05, 0.02, 0.08), ("ms", "T2w", "pddpm", "dice_published", 0.1, 0.05, 0.15)],
        trainings,
        {"ddpm": "ddpm", "pddpm": "pddpm"},
        comparisons=pairs,
    )
    small = rows(tmp_path, paper="pDDPM", dataset="MSLUB", metric="Dice")
    values = [float(row["published"]) for row in small]
    best = small[values.index(max(values))]
    assert all(row["claim_against"] == best["method"] for row in small if row["method"] != best["method"])
    assert all(0 <= float(row["claim_chance"]) <= 0.5 for row in small)
    (ddpm,) = [row for row in small if row["card"] == "ddpm"]
    lead = (float(best["published"]) - float(ddpm["published"])) / 100
    if best["ours"] == "pddpm":
        assert ddpm["claim_source"] == "ours: spread and congruence of these two methods"
        assert float(ddpm["claim_chance"]) == pytest.approx(stats.t.sf(lead * 20**0.5 / 0.08, 19), rel=1e-4)
    large = rows(tmp_path, paper="pDDPM", dataset="BraTS21", metric="Dice", method="DDPM")[0]
    assert float(large["claim_chance"]) < 0.001  # the same few points on 1,151 subjects
    assert "p (chance) 0." in page and "arXiv 2505.04720" in page


def test_published_win_without_a_pair_of_ours_is_left_open(tmp_path) -> None:
    ledger(tmp_path, [(*MS, "dice_published", 0.05, 0.02, 0.08)], [training(tmp_path, "ddpm")], {"ddpm": "ddpm"})
    (row,) = rows(tmp_path, paper="pDDPM", dataset="MSLUB", metric="Dice", method="DDPM")
    assert row["claim_chance"] == "" and row["claim_source"] == "no pair of methods was measured here by this metric"
