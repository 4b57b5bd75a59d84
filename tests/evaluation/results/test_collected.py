from __future__ import annotations

import pytest

from madad.core.errors import UserError
from madad.evaluation.results.collected import block_title, collect, read_metrics, read_trainings, select
from madad.evaluation.results.metric_table import DICE
from madad.evaluation.results.protocol_table import VALIDATION


def test_nothing_is_lost(toy) -> None:
    tables = [toy.made.evaluation("metrics.tsv", **identity) for identity in toy.made.evaluations()]
    assert len(read_metrics(toy.metrics)) == sum(len(path.read_text().splitlines()) - 1 for path in tables)


def test_identities_stay_text(toy) -> None:
    rows = select(read_metrics(toy.metrics), DICE, VALIDATION)
    assert set(rows["seed"]) == {"0", "1"}
    assert rows["value"].between(0, 1).all()


def test_no_table_is_an_empty_table(tmp_path) -> None:
    collect([], tmp_path / "metrics.csv")
    assert read_metrics(tmp_path / "metrics.csv").empty


def test_foreign_table_is_refused(tmp_path) -> None:
    (tmp_path / "foreign.tsv").write_text("subject\tvalue\nsub-1\t0.5\n")
    with pytest.raises(UserError, match="has no column cohort"):
        collect([tmp_path / "foreign.tsv"], tmp_path / "metrics.csv")


def test_trainings_know_whose_they_are(toy) -> None:
    assert set(read_trainings(toy.trainings)["method"]) == {"ddpm", "intensity"}
    assert read_trainings([])["method"].empty


@pytest.mark.parametrize(
    ("cohort", "testset", "title"),
    [("ixi", "ixi", "ixi, T2w"), ("ixi", "ixi-implanted", "ixi-implanted, T2w"), ("ixi", "brats", "ixi → brats, T2w")],
)
def test_block_title(cohort: str, testset: str, title: str) -> None:
    assert block_title(cohort, "T2w", testset) == title
