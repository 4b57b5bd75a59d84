"""What inference says of maps that hold nothing."""

from __future__ import annotations

import numpy as np

from madad.engine.observations import Observations

NOTHING, SOMETHING = np.zeros((1, 2, 2)), np.ones((1, 2, 2))


def test_numbers_are_told_by_group(capsys) -> None:
    observations = Observations({"share": "it sleeps"})
    for group, value in (("healthy", 0.0), ("patient", 0.2), ("patient", 0.4)):
        observations.add(group, SOMETHING, {"share": value})
    observations.tell()
    told = capsys.readouterr().err
    assert "share: 0 in 1 healthy scans, 0.3 in 2 patient scans" in told
    assert "it sleeps" not in told and "0 everywhere" not in told


def test_what_is_0_in_every_scan_is_explained(capsys) -> None:
    observations = Observations({"share": "it sleeps"})
    observations.add("healthy", SOMETHING, {"share": 0.0})
    observations.add("patient", SOMETHING, {"share": 0.0})
    observations.tell()
    assert "share is 0 in every scan: it sleeps" in capsys.readouterr().err


def test_empty_maps_are_counted(capsys) -> None:
    observations = Observations({})
    observations.add("healthy", SOMETHING, {})
    observations.add("patient", NOTHING, {})
    observations.tell()
    assert "the map of 1 of 2 scans is 0 everywhere" in capsys.readouterr().err
