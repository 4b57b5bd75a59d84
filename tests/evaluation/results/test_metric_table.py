from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from madad.evaluation.metrics.empty_masks import WORST
from madad.evaluation.metrics.voxel_metrics import Confusion
from madad.evaluation.results import documentation
from madad.evaluation.results.collected import collect
from madad.evaluation.results.measures import by_key, measures
from madad.evaluation.results.metric import THRESHOLDED, Metric
from madad.evaluation.results.metric_table import AUPRC, DICE, METRICS, register
from madad.evaluation.results.protocol_table import (
    FROC_POINT,
    ORACLE_TEST,
    PROTOCOLS,
    RECALL_POINT,
    SCORE_POINT,
    SLICES,
    VALIDATION,
    Protocol,
)
from madad.evaluation.results.protocol_table import register as register_protocol
from madad.evaluation.statistics.summary import summarise
from tests.evaluation.cases import FULL, OPTIONS, Case

POINTS = (RECALL_POINT, SCORE_POINT, FROC_POINT)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[list[dict[str, str]]]:
    yield Case(tmp_path, FULL, flagged_share=0.1).rows({**OPTIONS, "published": "behrendt", "slices": list(SLICES)})


@pytest.fixture
def rows_are_put_back() -> Iterator[None]:
    metrics, protocols = METRICS.copy(), PROTOCOLS.copy()
    yield
    METRICS[:], PROTOCOLS[:] = metrics, protocols


def test_every_metric_that_is_written_has_a_row_and_the_reverse(rows) -> None:
    bounds = {metric.bound(end).name for metric in METRICS for end in ("low", "high") if metric.resampled}
    assert {row["metric"] for row in rows} == {metric.name for metric in METRICS} | bounds


def test_every_protocol_that_is_written_has_a_row_and_the_reverse(rows) -> None:
    written = {row["protocol"] for row in rows if not row["protocol"].startswith(POINTS)}
    assert written == {protocol.name for protocol in PROTOCOLS}


def test_every_measure_is_in_the_table(rows) -> None:
    written = {(row["metric"], row["protocol"], row["sample"] == "") for row in rows}
    assert {(one.metric.name, one.protocol.name, one.pooled) for one in measures()} <= written


def test_every_metric_with_a_threshold_declares_its_values_for_empty_masks() -> None:
    assert all(metric.empty is not None for metric in METRICS if metric.family in THRESHOLDED)
    assert all((metric.function is None) == (metric.family == "other") for metric in METRICS)


def test_names_of_columns_are_unique() -> None:
    assert len(by_key()) == len(measures())


def test_rows_are_refused_that_are_there_or_incomplete() -> None:
    with pytest.raises(ValueError, match="the metric auprc has a row already"):
        register(AUPRC)
    with pytest.raises(ValueError, match="no values for empty masks"):
        register(Metric("made_up", "voxels", jaccard, "Jaccard", "overlap"))
    with pytest.raises(ValueError, match="the protocol validation has a row already"):
        register_protocol(VALIDATION)
    assert "made_up" not in {metric.name for metric in METRICS}


def test_a_metric_under_a_protocol_says_both() -> None:
    assert (DICE @ VALIDATION).key == "dice_validation"
    assert (DICE @ VALIDATION).title == "Dice, validation"
    assert (DICE @ ORACLE_TEST).note == (
        "overlap 2 TP / (2 TP + FP + FN), mean over test subjects with a lesion; "
        "the common threshold with the best mean Dice of the subjects on the test set itself, "
        "small components removed"
    )


def jaccard(cells: Confusion) -> float:
    """Return the overlap TP / (TP + FP + FN)."""
    return cells.tp / (cells.tp + cells.fp + cells.fn)


def test_a_metric_is_one_function_and_one_row(tmp_path: Path, rows_are_put_back) -> None:
    """Nothing else is edited for it: it is evaluated, summarised and documented."""
    register(
        Metric("made_up", "voxels", jaccard, "Jaccard", "overlap TP / (TP + FP + FN)", empty=WORST, summarised=(VALIDATION,))
    )
    case = Case(tmp_path, FULL)
    dices, found = case.values("dice", "validation"), case.values("made_up", "validation")
    assert {name: pytest.approx(dice / (2 - dice)) for name, dice in dices.items()} == found and len(found) == 2
    collect([case.out], tmp_path / "metrics.csv")
    summarise(tmp_path / "metrics.csv", tmp_path / "summary.csv")
    (line,) = [row for row in csv.DictReader((tmp_path / "summary.csv").open()) if row["measure"] == "made_up"]
    assert float(line["value"]) == pytest.approx(sum(found.values()) / len(found), rel=1e-5)
    assert "| `made_up` | overlap TP / (TP + FP + FN) |" in documentation.metrics_table()


def test_a_protocol_is_one_function_and_one_row(tmp_path: Path, rows_are_put_back) -> None:
    register_protocol(Protocol("validation_again", "again", "as validation", kind="threshold", choose=VALIDATION.choose))
    case = Case(tmp_path, FULL)
    assert case.values("dice", "validation_again") == case.values("dice", "validation")
    assert "`validation_again`" in documentation.protocols_table()


def test_page_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs/reference/evaluation.md"
    assert page.read_text() == documentation.page(page.read_text()), (
        "run: python -m madad stage metrics --out docs/reference/evaluation.md"
    )


def test_a_bar_in_a_note_does_not_end_its_cell() -> None:
    assert documentation._table(("a", "b"), [("|FN - FP|", "c")]).splitlines()[-1] == r"| \|FN - FP\| | c |"
