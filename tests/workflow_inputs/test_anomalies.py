"""What makes synthetic lesions be made again, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from madad.workflow import anomalies, parameters
from madad.workflow.plan import Plan
from tests.workflow_inputs.conftest import planned, touch


def bank(plan: Plan) -> str:
    return anomalies.bank_options(plan, "standard")


def implanted(plan: Plan) -> str:
    return anomalies.implant_options(plan, "phantom")


@pytest.mark.parametrize(
    ("changes", "of_bank", "of_implanted"),
    [
        ({"anomalies": {"components": 2}}, True, True),
        ({"pipelines": {"standard": {"spacing_mm": 3.5}}}, True, True),
        ({"anomalies": {"bank": {"seed": 9}}}, True, False),
        ({"implanted": {"per_subject": 7}}, False, True),
        ({"anomalies": {"bank": {"shards": 9}}}, False, False),
        ({"methods": ["constant"]}, False, False),
        ({"pipelines": {"standard": {"intensity": {"method": "zscore"}}}}, False, False),
    ],
)
def test_lesions_are_made_again_for_their_own_options(changes: dict, of_bank: bool, of_implanted: bool) -> None:
    assert (bank(planned(**changes)) != bank(planned())) is of_bank
    assert (implanted(planned(**changes)) != implanted(planned())) is of_implanted


def test_real_lesion_masks_count(tmp_path: Path) -> None:
    plan = planned(anomalies={"lesion_masks": str(tmp_path)})
    before = anomalies.lesion_masks(plan)
    touch([str(tmp_path / "lesion.nii.gz")])
    parameters.listing.cache_clear()
    assert len({anomalies.lesion_masks(planned()), before, anomalies.lesion_masks(plan)}) == 3


def test_a_bank_has_a_file_per_shard() -> None:
    plan = planned(anomalies={"bank": {"shards": 3}})
    assert anomalies.shards(plan) == 3 and anomalies.banks(plan, "standard")[2] == "results/banks/standard/2-of-3.h5"
