from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from madad.configuration import settings
from madad.core.errors import UserError
from madad.core.provenance import ROOT
from madad.data.anomalies.sites import SITES

RAW = {
    "cohorts": {"phantom": {"kind": "phantom"}},
    "train_on": ["phantom"],
    "test_on": ["phantom"],
    "modalities": ["FLAIR"],
    "methods": ["intensity"],
}


def resolved(**anomalies: object) -> dict:
    return settings.resolve({**RAW, "anomalies": anomalies})["anomalies"]


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("lesion_masks", "/nowhere/at/all", "anomalies.lesion_masks: there is no folder '/nowhere/at/all'"),
        ("time", [0.9, 0.1], "anomalies.time: the smallest comes first"),
        ("volume_ml", [0, 3], "anomalies.volume_ml"),
        ("boundary", "skull", "anomalies.boundary"),
        ("multiplyer", 3, "did you mean 'multiplier'?"),
    ],
)
def test_bad_option_is_refused_by_name(key: str, value: object, says: str) -> None:
    with pytest.raises(UserError) as refusal:
        resolved(**{key: value})
    assert says in str(refusal.value)


def test_options_are_complete_and_presets_size_the_bank(tmp_path: Path) -> None:
    found = resolved(lesion_masks=str(tmp_path))
    assert found["multiplier"] == 500 and found["time"] == [0.1, 0.9] and found["lesion_masks"] == str(tmp_path)
    assert found["bank"]["size"] == yaml.safe_load((ROOT / "presets/quickstart.yaml").read_text())["anomalies"]["bank"]["size"]


def test_schema_knows_every_site() -> None:
    schema = json.loads((ROOT / "schemas/config.schema.json").read_text())
    assert tuple(schema["properties"]["implanted"]["properties"]["sites"]["items"]["enum"]) == SITES
