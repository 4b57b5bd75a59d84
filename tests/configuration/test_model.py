"""The models state every key once; the schemas for editors follow from them, and problems are sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from madad.configuration import json_schema
from madad.configuration.model import Config, Preset
from madad.configuration.validation import OptionsError, validated

ROOT = Path(__file__).resolve().parents[2]
LEAST = {"cohorts": {"a": {"kind": "phantom"}}, "train_on": ["a"], "test_on": ["a"], "modalities": ["T1w"]}


def config(**options: object) -> dict[str, Any]:
    return validated(Config, {**LEAST, **options}).model_dump()


def problems(**options: object) -> list[str]:
    with pytest.raises(OptionsError) as caught:
        config(**options)
    return caught.value.problems


@pytest.mark.parametrize("name", json_schema.MODELS)
def test_committed_schema_is_the_generated_one(name: str) -> None:
    committed = (ROOT / f"schemas/{name}.schema.json").read_text()
    assert committed == json_schema.text(name), "run python -m madad.configuration.json_schema"


@pytest.mark.parametrize("path", [ROOT / "config.yaml", *sorted((ROOT / "presets").glob("*.yaml"))], ids=lambda path: path.name)
def test_editors_find_the_schema_and_accept_the_file(path: Path) -> None:
    text = path.read_text()
    schema = path.parent / text.split("$schema=", 1)[1].split("\n", 1)[0]
    Draft202012Validator(json.loads(schema.read_text())).validate(yaml.safe_load(text))


def keys(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema.get("properties", {}).items():
        yield f"{path}.{name}", part
        yield from keys(part, f"{path}.{name}")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from keys(schema["additionalProperties"], f"{path}.*")


@pytest.mark.parametrize("model", [Config, Preset])
def test_every_key_is_explained(model: type) -> None:
    found = dict(keys(json_schema.of(model)))
    assert len(found) > 50
    assert not [path for path, part in found.items() if not part.get("description")]


def test_schema_for_editors_refuses_what_the_model_refuses() -> None:
    schema = Draft202012Validator(json_schema.of(Config))
    wrong: list[dict[str, Any]] = [
        {"seeds": [-1]},
        {"seeds": [0, 0]},
        {"methdos": []},
        {"anomalies": {"volume_ml": [1]}},
        {"quality": {"outlier_z": 0}},
        {"pipelines": {"standard": {"spacing_mm": 0.1}}},
        {"pipelines": {"Standard": {}}},
        {"cohorts": {"a": {"kind": "phantom", "limit": 0}}},
        {"cohorts": {"a": {}}},
    ]
    assert schema.is_valid(LEAST)
    for options in wrong:
        assert problems(**options) and not schema.is_valid({**LEAST, **options}), options


def test_text_is_read_as_the_type_of_its_key() -> None:
    read = config(
        seeds=["7"],
        partial="true",
        evaluation={"erosion": "null", "bootstrap": "200"},
        quality={"limits": {"lesion_ml": {"flag": ["0.5", "none"]}}},
        implanted={"volumes_ml": ["2", "2.5"]},
    )
    assert read["seeds"] == [7] and read["partial"] is True
    assert read["evaluation"]["erosion"] is None and read["evaluation"]["bootstrap"] == 200
    assert read["quality"]["limits"]["lesion_ml"]["flag"] == [0.5, None]
    assert read["implanted"]["volumes_ml"] == [2.0, 2.5]


def test_numbers_keep_their_type() -> None:
    """2 and 2.0 differ in the text of a parameter, and a job reruns when that text changes."""
    read = config(implanted={"volumes_ml": [1, 2.0]})["implanted"]["volumes_ml"]
    assert [type(number) for number in read] == [int, float]


def test_key_without_default_is_absent_until_it_is_given() -> None:
    assert "root" not in config()["cohorts"]["a"]
    assert config(cohorts={"a": {"kind": "bids", "root": "/data"}})["cohorts"]["a"]["root"] == "/data"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seeds": 7}, "seeds: 7 is not a list; write [7]"),
        ({"seeds": [True]}, "seeds.0: True is not of type 'integer'"),
        ({"seeds": []}, "seeds: [] is empty; give at least one value"),
        ({"seeds": [1, 1]}, "seeds: [1, 1] contains a value twice"),
        ({"cohorts": {"a": {}}}, "cohorts.a: 'kind' is missing; it has no default"),
        ({"cohorts": {"a": {"kind": "x", "root": None}}}, "cohorts.a.root: None is not of type 'string'"),
        ({"cohorts": {"a": {"kind": "x", "sed": 1}}}, "cohorts.a: unknown key 'sed', did you mean 'seed'?"),
        ({"cohorts": {"a": {"kind": "x", 7: 1}}}, "cohorts.a: unknown key '7'; known: "),
        ({"cohorts": {"a": 1}}, "cohorts.a: 1 is not a mapping of keys to values"),
        ({"cohorts": {"My Data": {"kind": "x"}}}, "cohorts: 'My Data' does not match '^[a-z][a-z0-9_]*$'; names are lower-case"),
        ({"anomalies": {"boundary": "bran"}}, "'bran' is not one of ['brain', 'box'], did you mean 'brain'?"),
        ({"anomalies": {"multiplier": float("nan")}}, "anomalies.multiplier: nan is not a finite number"),
        ({"anomalies": {"multiplier": True}}, "anomalies.multiplier: True is not of type 'number'"),
        ({"anomalies": {"multiplier": 9000}}, "anomalies.multiplier: 9000 is greater than the maximum of 5000"),
        (
            {"pipelines": {"standard": {"shape": [96] * 4}}},
            "pipelines.standard.shape: [96, 96, 96, 96] is too long; give 3 values",
        ),
        ({"partial": "maybe"}, "partial: 'maybe' is not of type 'boolean'"),
        ({"quality": {"limits": {"lesion_ml": {"flags": None}}}}, "lesion_ml: unknown key 'flags', did you mean 'flag'?"),
    ],
)
def test_problem_is_a_sentence(options: dict, sentence: str) -> None:
    found = problems(**options)
    assert len(found) == 1 and sentence in found[0], found


def test_problems_come_in_the_order_of_the_keys() -> None:
    found = problems(seeds=["x"], methdos=1, anomalies={"time": [9, 9]})
    assert [one.split(":")[0] for one in found] == ["top level", "anomalies.time.0", "anomalies.time.1", "seeds.0"]


def test_sections_of_a_preset_are_checked_as_those_of_the_configuration() -> None:
    with pytest.raises(OptionsError, match=r"corrupted: unknown key 'sample', did you mean 'samples'\?"):
        validated(Preset, {"corrupted": {"sample": 3}})
