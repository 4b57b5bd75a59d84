"""What the viewer shows is what was scored: volumes, levels and thresholds."""

from __future__ import annotations

import base64
import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from madad.core.io.hdf5 import Maps, Pack
from madad.evaluation.results.long_table import read
from madad.reporting.galleries.cases import Numbers
from madad.reporting.galleries.scored_maps import threshold
from madad.reporting.viewer.volumes import INSIDE, LEVELS, as_levels, best_two, step_of, write_volumes
from tests.reporting.toy_results import METHODS, OPTIONS

SCORING = {key: OPTIONS[key] for key in ("erosion", "median", "min_component")}


def unpacked(text: str, shape: list[int]) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=np.uint8).reshape(shape)


@pytest.fixture(scope="module")
def files(toy) -> dict[str, list[Path]]:
    runs = [run for run in toy.made.evaluations() if (run["testset"], run["seed"]) == ("phantom", "0")]
    names = {"method_maps": "maps.h5", "method_tables": "metrics.tsv"}
    return {
        **{key: [toy.made.evaluation(name, **run) for run in runs] for key, name in names.items()},
        "packs": toy.made.packs("phantom"),
    }


@pytest.fixture(scope="module")
def shown(files, tmp_path_factory) -> dict:
    out = tmp_path_factory.mktemp("viewer") / "volumes.json"
    write_volumes(**files, scoring=SCORING, out=out)
    return json.loads(out.read_text())


def test_every_method_is_there_with_the_threshold_of_the_tables(shown: dict, files: dict) -> None:
    assert [one["name"] for one in shown["methods"]] == list(METHODS)
    for one, table in zip(shown["methods"], files["method_tables"], strict=True):
        protocol, cut = threshold(table)
        assert protocol is not None and one["cutTitle"] == "validation"
        assert one["cut"] * one["step"] == pytest.approx(cut) and 0 < one["cut"] < LEVELS


def test_it_opens_with_the_best_methods() -> None:
    own = [Numbers({"a": value, "b": value}, {}, {}, {}, {}) for value in (0.2, 0.6, 0.4)]
    assert best_two(["x", "y", "z"], own) == ["y", "z"] and best_two(["x"], [Numbers({}, {}, {}, {}, {})]) == ["x"]


def test_dice_at_the_threshold_is_that_of_the_long_table(shown: dict, files: dict) -> None:
    """Maps are post-processed here, so that this holds for the chain, the levels and the crop; no component is too small."""
    for place, table in enumerate(files["method_tables"]):
        known = {
            row["sample"]: float(row["value"])
            for row in read(table)
            if (row["metric"], row["protocol"]) == ("dice", "validation")
        }
        for case in shown["cases"]:
            lesion, brain = (unpacked(case[key], case["shape"]) for key in ("lesion", "brain"))
            predicted = (unpacked(case["maps"][place]["scored"], case["shape"]) > shown["methods"][place]["cut"]) & (brain > 0)
            reference = lesion == INSIDE
            if reference.any():
                dice = 2 * (predicted & reference).sum() / (predicted.sum() + reference.sum())
                # components below the size of the protocol are removed in the page, not here
                assert dice == pytest.approx(known[case["name"]], abs=0.02)


def test_the_image_and_the_crosshair(shown: dict, files: dict) -> None:
    with Pack(files["packs"][1]) as pack:
        for case in shown["cases"]:
            image = unpacked(case["image"], case["shape"])
            assert image.max() == pytest.approx(255 * pack.image(pack.names.index(case["name"])).max(), abs=1)
            lesion = unpacked(case["lesion"], case["shape"]) == INSIDE
            assert lesion[tuple(case["start"])] or not lesion.any()
            assert case["marked"] and case["stride"] == 1


def test_without_post_processing_a_map_is_stored_once(files: dict, tmp_path: Path) -> None:
    write_volumes(**files, scoring={"erosion": 0, "median": 0, "min_component": 0}, out=tmp_path / "volumes.json")
    plain = json.loads((tmp_path / "volumes.json").read_text())
    assert not plain["processed"] and all(one["scored"] is None for case in plain["cases"] for one in case["maps"])


@pytest.mark.parametrize("cut", [math.nan, 0.0, 0.3, 0.37, 50.0, 1e-6])
def test_no_score_changes_sides_of_the_threshold(files: dict, cut: float) -> None:
    with Maps(files["method_maps"][0]) as maps:
        step = step_of(maps, [], cut)
    scores = (
        np.concatenate([np.linspace(0, 1, 1001), cut * np.array([0.999, 1.0, 1.001])]) if cut == cut else np.linspace(0, 1, 9)
    )
    levels = as_levels(scores, step)
    assert levels.max() <= LEVELS and ((levels > 0) == (scores > 0)).all()
    if cut > 0:
        assert ((levels > round(cut / step)) == (scores > cut)).all()
