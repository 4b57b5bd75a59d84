"""A results tree made of noise, built once for all tests of the report."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from madad.evaluation.results.collected import collect
from madad.evaluation.statistics.summary import summarise
from tests.reporting import toy_results, wide_results


@pytest.fixture(autouse=True)
def close_figures() -> Iterator[None]:
    """Figures that a test looked at are forgotten."""
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> SimpleNamespace:
    """The tree (`made`), and what most tests begin with: metrics, summary, trainings, histories and bases."""
    root = tmp_path_factory.mktemp("results")
    made = toy_results.build(root, *toy_results.ellipsoid((14, 28, 24)))
    metrics, summary = root / "metrics.csv", root / "summary.csv"
    collect([made.evaluation("metrics.tsv", **identity) for identity in made.evaluations()], metrics)
    summarise(metrics, summary)
    return SimpleNamespace(
        made=made,
        metrics=metrics,
        summary=summary,
        trainings=[made.run("train.json", **run) for run in made.runs()],
        histories=[made.run("history.csv", **run) for run in made.runs()],
        judged=[root / "results/quality/phantom/standard.tsv"],
        excluded=[root / "results/cohorts/phantom/excluded.tsv"],
        bases={method: method for method in toy_results.METHODS},
    )


@pytest.fixture(scope="session")
def wide(tmp_path_factory) -> SimpleNamespace:
    """Twelve methods, one of them with a long name, on four test sets under two seeds."""
    return wide_results.build(tmp_path_factory.mktemp("wide"))
