"""The numbers of corrupted samples: joined with those of the same samples as they were, summed up, drawn."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from madad.core.errors import UserError
from madad.core.io.hdf5 import Sample, write_pack
from madad.core.io.manifest import write_table
from madad.data.corruptions import corrupted
from madad.evaluation.results.long_table import LongTable, SampleIdentity
from madad.reporting.figures.robustness import draw_corruptions, draw_robustness
from madad.reporting.layout import style
from madad.reporting.tables.robustness import MEASURES, by_severity, collect, cost, read_robustness, write_robustness

SEVERITIES = (1, 5)
KINDS = ("noise", "thick_slices")
AUPRC, DICE, FPR = MEASURES
BLOCK = ("ixi", "T1w", "ixi-corrupted")


def steady(method: str, sample: int, severity: int) -> float:
    return 0.6 - 0.02 * sample - (0.05 if method == "weak" else 0.0) * severity


class Tree:
    """Long tables of methods on a test set and on its corrupted version."""

    def __init__(self, folder: Path, methods: tuple[str, ...] = ("strong", "weak"), *, subjects: int = 4, seeds: int = 2) -> None:
        self.folder, self.methods, self.subjects, self.seeds = folder, methods, subjects, seeds

    def write(self, value: Callable[[str, int, int], float] = steady) -> Path:
        """Write everything and collect it."""
        names = [(f"sub-{n}", "healthy" if n % 2 else "patient") for n in range(2 * self.subjects)]
        rows = [
            {"name": f"{name}_{kind}-{level}", "base": name, "corruption": kind, "severity": str(level), "group": group}
            for name, group in names
            for kind in KINDS
            for level in SEVERITIES
        ]
        samples = self.folder / "test.tsv"
        write_table(samples, rows, corrupted.COLUMNS)
        metrics, clean = [], []
        for method in self.methods:
            for seed in range(self.seeds):
                made = [(row["name"], row["base"], row["group"], int(row["severity"])) for row in rows]
                metrics.append(self._table(method, seed, "ixi-corrupted", made, value))
                before = [(name, name, group, 0) for name, group in [*names, ("sub-other", "patient")]]
                clean.append(self._table(method, seed, "ixi", before, value))
        collect(metrics, clean, [samples] * len(metrics), self.folder / "robustness.csv")
        return self.folder / "robustness.csv"

    def _table(self, method: str, seed: int, testset: str, samples: list, value: Callable) -> Path:
        table = LongTable({"cohort": "ixi", "modality": "T1w", "testset": testset, "method": method, "seed": str(seed)})
        table.add(SampleIdentity(), "validation", "threshold", 0.3)
        for name, base, group, level in samples:
            number = value(method, int(base[4:]) if base[4:].isdigit() else 0, level) + 0.001 * seed
            who = SampleIdentity(name, base, group)
            table.add(who, "inference", "seconds", 1.0)
            table.add(who, "healthy_fpr_1", "false_positive_rate", 0.01 * (1 + level))
            if group == "patient":
                table.add(who, "per_subject", "auprc", number)
                table.add(who, "validation", "dice", number / 2)
        path = self.folder / f"{method}-{seed}/{testset}/metrics.tsv"
        table.write(path)
        return path


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    return Tree(tmp_path).write()


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_corrupted_samples_stand_beside_what_they_were(collected: Path) -> None:
    table = read_robustness(collected)
    assert set(table["testset"]) == {"ixi-corrupted"} and "sub-other" not in set(table["base"])
    assert {(c, s) for c, s in zip(table["corruption"], table["severity"], strict=True)} == {
        ("", 0),
        *((kind, level) for kind in KINDS for level in SEVERITIES),
    }
    assert set(zip(table["metric"], table["protocol"], strict=True)) == {(m.metric.name, m.protocol.name) for m in MEASURES}


def test_severities_of_a_sample_are_one_row_with_the_mean_over_seeds(collected: Path) -> None:
    table = read_robustness(collected)
    values = by_severity(table[table["method"] == "weak"], AUPRC, "noise")
    assert list(values.columns) == [0, 1, 5] and values.shape == (4, 3)
    np.testing.assert_allclose(values.loc[("sub-2", "sub-2")], [0.5605, 0.5105, 0.3105])


def test_false_positives_are_those_of_the_healthy(collected: Path) -> None:
    table = read_robustness(collected)
    values = by_severity(table[table["method"] == "weak"], FPR, "noise")
    assert [base for _, base in values.index] == ["sub-1", "sub-3", "sub-5", "sub-7"]


def test_cost_equals_regression_and_ratio_of_means() -> None:
    generator = np.random.default_rng(0)
    matrix = generator.uniform(0.2, 0.8, (7, 4))
    index = pd.MultiIndex.from_tuples([(f"s{n}", f"s{n}") for n in range(7)], names=["subject", "base"])
    values = pd.DataFrame(matrix, index=index, columns=[0, 1, 3, 5])
    found = cost(values)
    expected = np.mean([np.polyfit([0, 1, 3, 5], row, 1)[0] for row in matrix])
    assert found.slope.value == pytest.approx(expected) and found.clean == pytest.approx(matrix[:, 0].mean())
    assert found.ratio.value == pytest.approx(matrix[:, 3].mean() / matrix[:, 0].mean())
    assert found.slope.low < expected < found.slope.high and found.ratio.low < found.ratio.value < found.ratio.high


def test_sample_that_lacks_a_severity_is_in_neither_mean() -> None:
    index = pd.MultiIndex.from_tuples([("a", "a"), ("b", "b")], names=["subject", "base"])
    values = pd.DataFrame([[0.8, 0.4], [0.2, np.nan]], index=index, columns=[0, 5])
    found = cost(values)
    assert found.clean == 0.8 and found.ratio.value == 0.5 and np.isnan(found.ratio.low) and found.slope.subjects == 1


@pytest.mark.parametrize("matrix", [np.empty((0, 2)), np.array([[0.3]])], ids=["no sample", "clean alone"])
def test_nothing_to_compare_gives_no_number(matrix: np.ndarray) -> None:
    index = pd.MultiIndex.from_tuples([("a", "a")] * len(matrix), names=["subject", "base"])
    found = cost(pd.DataFrame(matrix, index=index, columns=[0, 5][: matrix.shape[1]]))
    assert np.isnan([found.clean, found.ratio.value, found.slope.value]).all()


def test_ratio_to_nothing_is_no_number() -> None:
    index = pd.MultiIndex.from_tuples([("a", "a"), ("b", "b")], names=["subject", "base"])
    found = cost(pd.DataFrame([[0.0, 0.4], [0.0, 0.2]], index=index, columns=[0, 5]))
    assert np.isnan(found.ratio.value) and found.slope.value == pytest.approx(0.06)


def write(metrics: Path, folder: Path) -> list[dict[str, str]]:
    write_robustness(metrics, folder / "r.csv", folder / "r.tex", folder / "r.html")
    assert "toprule" in (folder / "r.tex").read_text() and "<table" in (folder / "r.html").read_text()
    return rows_of(folder / "r.csv")


def test_table_has_a_row_a_method_and_artefact(collected: Path, tmp_path: Path) -> None:
    rows = write(collected, tmp_path)
    assert [(row["Method"], row["Artefact"]) for row in rows] == [
        (method, title) for method in ("strong", "weak") for title in ("Noise", "Thick slices")
    ]
    strong, weak = rows[0], rows[2]
    assert "0.0000" in strong["AUPRC, slope"] and weak["AUPRC, slope"].startswith("-0.0500")
    assert strong["AUPRC, ratio"].startswith("1.00") and weak["Healthy FPR, ratio"].startswith("6.00")
    assert rows[0]["Test set"] == "ixi-corrupted, T1w (n = 8 subjects)"


@pytest.mark.parametrize(("methods", "subjects", "seeds"), [(("strong",), 4, 1), (("strong", "weak"), 1, 1), ((), 4, 1)])
def test_one_method_one_subject_one_seed_or_nothing_is_said(methods, subjects: int, seeds: int, tmp_path: Path) -> None:
    metrics = Tree(tmp_path, methods, subjects=subjects, seeds=seeds).write()
    rows = write(metrics, tmp_path)
    assert len(rows) == len(methods) * len(KINDS)
    if not methods:
        assert "No evaluation of a corrupted test set yet" in (tmp_path / "r.html").read_text()
    draw_robustness(metrics, *BLOCK, tmp_path / "r.png", tmp_path / "r.pdf")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_value_that_is_missing_is_a_dash_and_said_in_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    monkeypatch.setattr(style, "say", lambda axes, text: said.append(text))
    metrics = Tree(tmp_path).write(lambda method, sample, severity: np.nan)
    assert {row["AUPRC, ratio"] for row in write(metrics, tmp_path)} == {"–"}
    draw_robustness(metrics, *BLOCK, tmp_path / "r.png", tmp_path / "r.pdf")
    assert said == ["no value"] * 2 * len(KINDS)


def test_block_that_is_not_there_is_said(collected: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    real = style.empty
    monkeypatch.setattr(style, "empty", lambda reason: said.append(reason) or real(reason))
    draw_robustness(collected, "ixi", "T2w", "ixi-corrupted", tmp_path / "r.png", tmp_path / "r.pdf")
    assert said


def test_figure_has_the_same_bytes_each_time(collected: Path, tmp_path: Path) -> None:
    for turn in ("a", "b"):
        draw_robustness(collected, *BLOCK, tmp_path / f"{turn}.png", tmp_path / f"{turn}.pdf")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_sample_that_nobody_made_is_refused(tmp_path: Path) -> None:
    tree = Tree(tmp_path, ("strong",), seeds=1)
    tree.write()
    write_table(
        tmp_path / "test.tsv", [{"name": "other", "base": "sub-0", "corruption": "noise", "severity": "1"}], corrupted.COLUMNS
    )
    paths = [[tmp_path / f"strong-0/{name}/metrics.tsv"] for name in ("ixi-corrupted", "ixi")]
    with pytest.raises(UserError, match=r"sub-0_noise-1 is not in .*test\.tsv"):
        collect(*paths, [tmp_path / "test.tsv"], tmp_path / "o.csv")


@pytest.mark.parametrize("ill", [True, False], ids=["with a lesion", "all healthy"])
def test_pictures_of_the_artefacts(ill: bool, tmp_path: Path) -> None:
    shape = (10, 24, 20)
    brain = np.zeros(shape, dtype=bool)
    brain[2:9, 4:20, 4:16] = True
    image = np.where(brain, np.random.default_rng(0).uniform(0.2, 1, shape), 0).astype(np.float32)
    lesion = np.zeros_like(brain)
    lesion[4:6, 8:12, 8:12] = ill
    samples = [
        Sample("sub-1", "healthy", image, brain, np.zeros_like(brain), {"subject": "sub-1"}),
        Sample("sub-2", "patient" if ill else "healthy", image, brain, lesion, {"subject": "sub-2"}),
    ]
    pack, made, table = tmp_path / "p.h5", tmp_path / "c.h5", tmp_path / "c.tsv"
    write_pack(pack, iter(samples), affine=np.diag([2.0, 2, 2, 1]), modality="T1w", cohort="toy", split="test")
    model = {"method": "percentile", "lower": 1.0, "upper": 99.0}
    options = {"kinds": list(KINDS), "severities": [2], "samples": 2, "seed": 0, "intensity": model}
    corrupted.corrupt_pack(pack, made, table, options)
    for turn in ("a", "b"):
        draw_corruptions(pack, made, table, tmp_path / f"{turn}.png", tmp_path / f"{turn}.pdf")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
