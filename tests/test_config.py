"""A configuration is complete and right before the first job, or refused with every problem in one list."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from madad import config as configuration
from madad import lineup, schema
from madad.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(**values: object) -> dict:
    return schema.merge(copy.deepcopy(DEFAULT), values)


def problems(**values: object) -> str:
    with pytest.raises(UserError) as caught:
        configuration.resolve(changed(**values))
    return str(caught.value)


@pytest.mark.parametrize("preset", [path.stem for path in (ROOT / "presets").glob("*.yaml")])
def test_every_preset_resolves(preset: str) -> None:
    config = configuration.resolve(changed(preset=preset))
    assert set(config["methods"]) == set(DEFAULT["methods"])
    assert config["cohorts"]["phantom"]["skull_strip"] == ("bet" if preset == "smoke" else "template")


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").glob("*.yaml")))
def test_every_example_resolves(name: str, tmp_path: Path) -> None:
    """Alone or, as its head says, on top of another; with the folders of the data somewhere else."""
    names = [name] if name != "mslub.yaml" else ["ixi.yaml", name]
    config = copy.deepcopy(DEFAULT)
    for one in names:
        config = schema.merge(config, yaml.safe_load((ROOT / "examples" / one).read_text()))
    for cohort, options in config["cohorts"].items():
        if options["kind"] == "bids":
            options["root"] = str(tmp_path / cohort)
            (tmp_path / cohort).mkdir()
    assert set(configuration.resolve(config)["test_on"]) == set(config["test_on"])


def test_misspelt_entries_of_a_preset_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "PRESETS", tmp_path)
    (tmp_path / "mine.yaml").write_text("methods: {pdppm: {}, ddpm: {resources: {gpus: 0}}}\n")
    said = problems(preset="mine")
    assert "no method 'pdppm'" in said or "'pdppm'" in said
    assert "unknown key 'gpus', did you mean 'gpu'?" in said


def test_order_of_precedence_is_schema_preset_config() -> None:
    preset = yaml.safe_load((ROOT / "presets" / "smoke.yaml").read_text())
    plain = configuration.resolve(changed(preset="smoke"))
    assert plain["pipelines"]["standard"]["spacing_mm"] == preset["pipelines"]["spacing_mm"]
    mine = configuration.resolve(changed(preset="smoke", pipelines={"standard": {"spacing_mm": 2.5}}))
    assert mine["pipelines"]["standard"]["spacing_mm"] == 2.5
    assert mine["pipelines"]["standard"]["bias_field"] == "n4"


def test_hyper_parameters_come_from_card_preset_and_config() -> None:
    options = {"ddpm": {"training": {"steps": 7}}, "wide": {"base": "ddpm", "parameters": {"base_channels": 64}}}
    config = configuration.resolve(changed(methods=["ddpm", "wide"], method_options=options))
    ddpm, wide = (config["methods"][name]["options"]["FLAIR"] for name in ("ddpm", "wide"))
    assert ddpm["training"]["steps"] == 7 and wide["training"]["steps"] != 7
    assert wide["parameters"]["base_channels"] == 64 and config["methods"]["wide"]["base"] == "ddpm"


def test_text_of_the_command_line_becomes_numbers() -> None:
    config = configuration.resolve(changed(seeds=["7"], method_options={"ddpm": {"training": {"learning_rate": "1e-4"}}}))
    assert config["seeds"] == [7]
    assert config["methods"]["ddpm"]["options"]["FLAIR"]["training"]["learning_rate"] == 1e-4


def test_resolving_leaves_the_input_alone() -> None:
    raw = changed()
    configuration.resolve(raw)
    assert raw == DEFAULT


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"methdos": []}, "unknown key 'methdos', did you mean 'methods'?"),
        ({"methods": ["ddmp"]}, "no method is called 'ddmp', did you mean 'ddpm'?"),
        ({"preset": "papr"}, "no preset is called 'papr', did you mean 'paper'?"),
        ({"train_on": ["fantom"]}, "train_on: no cohort is called 'fantom', did you mean 'phantom'?"),
        ({"test_on": ["fantom-implanted"]}, "test_on: no cohort is called 'fantom'"),
        (
            {"test_on": ["phantom-corrupted"]},
            "test_on: phantom-corrupted is scored with the thresholds of phantom; add phantom to test_on",
        ),
        ({"test_on": ["phantom", "phantom-implanted-corrupted"]}, "add phantom-implanted to test_on"),
        ({"test_on": ["phantom", "fantom-corrupted"]}, "test_on: no cohort is called 'fantom', did you mean 'phantom'?"),
        ({"corrupted": {"kinds": ["nois"]}}, "corrupted.kinds.0: 'nois' is not one of ['noise', 'bias_field'"),
        ({"corrupted": {"severities": [0]}}, "corrupted.severities.0: 0 is less than the minimum of 1"),
        ({"corrupted": {"sample": 3}}, "corrupted: unknown key 'sample', did you mean 'samples'?"),
        ({"seeds": [-1]}, "seeds.0: -1 is less than the minimum of 0"),
        ({"seeds": ["one"]}, "seeds.0: 'one' is not of type 'integer'"),
        ({"modalities": ["T2w"]}, "modalities: T2w is not among cohorts.phantom.modalities (FLAIR)"),
        (
            {"modalities": ["bold"]},
            "mad_ad, ldm, cldm, conddiff, inpainting) is made for bold",
        ),
        ({"cohorts": {"phantom": {"healty": 3}}}, "cohorts.phantom: unknown key 'healty', did you mean 'healthy'?"),
        ({"cohorts": {"phantom": {"pipeline": "x"}}}, "cohorts.phantom.pipeline: no pipeline is called 'x'"),
        ({"cohorts": {"phantom": {"dataset": "IXI"}}}, "cohorts.phantom.dataset: phantoms are not IXI; leave it out"),
        ({"cohorts": {"phantom": {"split": {"train": 0.9}}}}, "cohorts.phantom.split: the fractions add up to 1.275"),
        ({"pipelines": {"standard": {"intensity": {"method": "nyull"}}}}, "'nyull' is not one of"),
        ({"method_options": {"ddpm": {"training": {"stepps": 1}}}}, "method_options.ddpm.training: unknown key 'stepps'"),
        (
            {"methods": ["mine"], "method_options": {"mine": {"base": "ddpm", "parameters": {"noise": 1}}}},
            "method_options.mine.parameters: unknown key 'noise'",
        ),
        ({"evaluation": {"median": 4}}, "evaluation.median: 4 is even"),
        ({"pipelines": {"standard": {"reference": "other"}}}, "pipelines.standard.reference: no cohort in use"),
        ({"method_options": {"ddpn": {"training": {"steps": 1}}}}, "no method is called 'ddpn', did you mean 'ddpm'?"),
    ],
)
def test_bad_value_is_named_with_what_is_allowed(values: dict, says: str) -> None:
    assert says in problems(**values)


def bids(**options: object) -> dict:
    return {"cohorts": {"mine": {"kind": "bids", **options}}, "train_on": ["mine"], "test_on": ["mine"]}


def test_data_root_must_exist() -> None:
    assert "cohorts.mine.root: there is no folder '/no/such/folder'" in problems(**bids(root="/no/such/folder"))
    assert "cohorts.mine.root: missing" in problems(**bids())


def test_one_data_set_is_one_cohort(tmp_path: Path) -> None:
    cohorts = {name: {"kind": "bids", "root": str(tmp_path)} for name in ("first", "second")}
    said = problems(cohorts=cohorts, train_on=["first"], test_on=["second"])
    assert "cohorts.second.root: the folder of cohorts.first again" in said


def test_all_problems_come_at_once() -> None:
    said = problems(**bids(root="/no"), methods=["nothing"], seeds=[0])
    assert "no method" in said and "there is no folder" in said


def test_unused_cohort_is_not_checked(tmp_path: Path) -> None:
    cohorts = {"mine": {"kind": "bids", "root": str(tmp_path)}, "other": {"kind": "bids", "root": "/not/mounted"}}
    config = configuration.resolve(changed(cohorts=cohorts, train_on=["mine"], test_on=["mine"]))
    assert configuration.used_cohorts(config) == ["mine"]
    assert config["pipelines"]["standard"]["reference"] == "mine"


def test_untrained_methods_run_with_one_seed() -> None:
    config = configuration.resolve(changed(methods=["intensity", "ddpm"], seeds=[0, 1, 2]))
    count = {name: sum(run["method"] == name for run in lineup.runs(config, "methods")) for name in config["methods"]}
    assert count == {"intensity": 1, "ddpm": 3}
    assert len(configuration.evaluations(config)) == 4 * len(config["test_on"])


def test_corrupted_test_sets_are_evaluated_apart() -> None:
    testsets = ["phantom", "phantom-implanted", "phantom-corrupted", "phantom-implanted-corrupted"]
    config = configuration.resolve(changed(methods=["intensity", "ddpm"], test_on=testsets, seeds=[0, 1]))
    assert {run["testset"] for run in configuration.evaluations(config)} == set(testsets[:2])
    assert {run["testset"] for run in configuration.robustness(config)} == set(testsets[2:])
    assert len(configuration.evaluations(config)) == len(configuration.robustness(config)) == 2 * (1 + 2)
    assert configuration.used_cohorts(config) == ["phantom"]
    assert [configuration.cohort_of(name) for name in testsets] == ["phantom"] * 4
    assert [configuration.base_of(name) for name in testsets] == testsets[:2] * 2


def test_preset_chooses_what_is_corrupted() -> None:
    config = configuration.resolve(changed(preset="smoke", corrupted={"samples": "3"}))
    assert config["corrupted"] == {"kinds": ["noise", "blur"], "severities": [1, 5], "samples": 3, "seed": 0}
