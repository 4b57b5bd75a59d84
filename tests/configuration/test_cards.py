"""Method cards: complete options, and messages a user can act on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madad.configuration import cards
from madad.core.errors import UserError


def refusal(parameters: dict, training: dict | None = None, name: str = "ddpm") -> str:
    with pytest.raises(UserError) as caught:
        cards.resolve(name, parameters, training or {}, None)
    return str(caught.value)


def test_defaults_fill_what_is_not_given() -> None:
    resolved = cards.resolve("ddpm", {"base_channels": 32}, {"steps": 7}, None)
    assert resolved["parameters"]["base_channels"] == 32
    assert resolved["parameters"]["test_timesteps"] == [500]
    assert resolved["training"]["steps"] == 7
    assert resolved["training"]["learning_rate"] == 1e-4


@pytest.mark.parametrize(("modality", "tail"), [("FLAIR", "bright"), ("T2w", "bright"), ("T1w", "dark"), (None, "both")])
def test_default_by_modality(modality: str | None, tail: str) -> None:
    assert cards.resolve("intensity", {}, {}, modality)["parameters"]["tail"] == tail


def test_given_value_beats_the_modality() -> None:
    assert cards.resolve("intensity", {"tail": "both"}, {}, "T1w")["parameters"]["tail"] == "both"


def test_unknown_method_names_the_nearest() -> None:
    assert "did you mean 'ddpm'?" in refusal({}, name="dpmm")


def test_unknown_key_names_the_nearest() -> None:
    assert "ddpm.training: unknown key 'lerning_rate', did you mean 'learning_rate'?" in refusal({}, {"lerning_rate": 1.0})


def test_method_without_training_takes_no_training_options() -> None:
    assert "intensity has no training settings" in refusal({}, {"steps": 3}, "intensity")


def test_exponent_that_yaml_reads_as_text_is_explained() -> None:
    text = refusal({}, {"learning_rate": "1e-4"})
    assert "ddpm.training.learning_rate: '1e-4' is text" in text
    assert "YAML reads 1e-4 as text, write 1.0e-04 or 0.0001" in text


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("base_channels", 4, "less than the minimum of 8"),
        ("base_channels", True, "not of type integer"),
        ("base_channels", 16.5, "not of type integer"),
        ("noise_kind", "simplx", "did you mean 'simplex'?"),
        ("noise_scale", float("nan"), "not a finite number"),
        ("scale_shift", "yes", "not of type boolean"),
        ("test_timesteps", [], "test_timesteps"),
        ("test_timesteps", [0], "test_timesteps.0"),
    ],
)
def test_bad_value_is_named(key: str, value: object, said: str) -> None:
    text = refusal({key: value})
    assert f"ddpm.parameters.{key}" in text and said in text


def test_all_problems_come_at_once() -> None:
    assert len(refusal({"base_channels": 4, "nois_kind": 1}, {"steps": -1}).splitlines()) == 3


def test_section_that_is_no_mapping_is_refused() -> None:
    assert "is not a mapping" in refusal([1])  # type: ignore[arg-type]


def test_equal_values_become_equal_types() -> None:
    resolved = cards.resolve("ddpm", {"base_channels": 32.0, "noise_scale": 1}, {}, None)["parameters"]
    assert type(resolved["base_channels"]) is int and type(resolved["noise_scale"]) is float


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)), max_size=3))
@settings(deadline=None, max_examples=30)
def test_nothing_but_known_keys_passes(parameters: dict) -> None:
    known = set(cards.load("ddpm")["parameters"])
    if set(parameters) - known:
        refusal(parameters)


def test_cards_cannot_be_changed_by_their_readers() -> None:
    cards.load("ddpm")["parameters"].clear()
    cards.resolve("ddpm", {}, {}, None)["parameters"]["test_timesteps"].append(1)
    assert cards.resolve("ddpm", {}, {}, None)["parameters"]["test_timesteps"] == [500]


def test_cards_are_read_without_torch() -> None:
    code = "import sys; from madad.configuration import cards; [cards.tiny(n) for n in cards.names()]"
    code += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=cards.METHODS.parent.parent, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "parameters", "key", "value"),
    [
        ("ddpm", {"test_timesteps": [250]}, "test_timesteps", [500]),  # the card's default
        ("ddpm", {"num_train_timesteps": 200, "test_timesteps": [50]}, "test_timesteps", [200]),  # as far as the schedule goes
        ("cddpm", {"num_train_timesteps": 600, "test_timesteps": [50]}, "test_timesteps", [250, 500, 600]),
        ("conddiff", {"num_train_timesteps": 100, "test_timestep": 50}, "test_timestep", 100),
        ("mad_ad", {"num_train_timesteps": 9, "test_steps": 3}, "test_steps", 9),
        ("mad_ad", {"num_train_timesteps": 20, "test_steps": 4}, "test_steps", 10),
        ("ddpm", {"noise_scale": 2.0}, "noise_scale", 2.0),
    ],
)
def test_trained_with_the_defaults_of_inference_where_they_go(name: str, parameters: dict, key: str, value: object) -> None:
    resolved = cards.resolve(name, parameters, {}, None)
    trained = cards.as_trained(name, resolved["parameters"], resolved["training"], None)
    assert trained[key] == value and list(trained) == list(resolved["parameters"])
    assert cards.as_trained(name, cards.of_training(name, resolved["parameters"]), resolved["training"], None) == trained
    assert cards.resolve(name, trained, resolved["training"], None)["parameters"] == trained


def test_defaults_of_inference_follow_the_modality() -> None:
    assert cards.as_trained("intensity", {}, {}, "T1w") == {"tail": "dark"}


def test_a_stage_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (cards.METHODS / "intensity.yaml").read_text().replace("stage: inference", "stage: test")
    (tmp_path / "intensity.yaml").write_text(text)
    monkeypatch.setattr(cards, "METHODS", tmp_path)
    with pytest.raises(
        UserError, match=r"intensity.yaml: parameters.tail.stage: 'test' is not a stage; write inference, training or nothing"
    ):
        cards.load("intensity")
