"""A configuration is complete and right before the first job, or refused with every problem in one list."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from madad.configuration import cards, cohort_cards, experiments, schema, sequences
from madad.configuration import settings as configuration
from madad.core.errors import UserError
from tests.paper_studies import placeholder

ROOT = Path(__file__).resolve().parents[2]
# On phantoms alone; which cohorts a preset takes has tests of its own.
PHANTOMS = {"train_on": ["phantom"], "test_on": ["phantom", "phantom-implanted"]}
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text()) | PHANTOMS


def changed(**values: object) -> dict:
    return schema.merge(copy.deepcopy(DEFAULT), values)


def problems(**values: object) -> str:
    with pytest.raises(UserError) as caught:
        configuration.resolve(changed(**values))
    return str(caught.value)


@pytest.mark.parametrize("preset", [path.stem for path in (ROOT / "presets").glob("*.yaml")])
def test_every_preset_resolves(preset: str) -> None:
    config = configuration.resolve(changed(preset=preset))
    assert config["cohorts"]["phantom"]["skull_strip"] == ("template" if preset == "paper" else "bet")
    heart = {"cddpm", "mddpm", "mad_ad", "conddiff"}
    assert heart & set(config["methods"]) == ({"conddiff"} if preset == "smoke" else heart)


def test_all_is_every_card_and_every_variant_at_the_sizes_of_the_quickstart() -> None:
    everything, quick = (configuration.resolve(changed(preset=preset)) for preset in ("all", "quickstart"))
    # A variant that shows one side of a residual is for the real slices alone.
    assert set(everything["methods"]) | {"dae_bright"} == {*cards.names(), *DEFAULT["method_options"]}
    quick["methods"].pop("dae_bright")
    assert quick["methods"].items() <= everything["methods"].items()
    light = {name for name, method in everything["methods"].items() if method["resources"]["gpu"] == 0}
    assert light == set(everything["methods"])


def test_methods_of_the_configuration_win_over_those_of_the_preset() -> None:
    assert list(configuration.resolve(changed(preset="all", methods=["ddpm"]))["methods"]) == ["ddpm"]
    assert "mhd" in problems(preset="all", method_options={"mhd": {"parts": {"model": "intensity"}}})


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "examples").glob("*.yaml")))
def test_every_example_resolves(name: str, tmp_path: Path) -> None:
    """Alone or, as its head says, on top of another; with the folders of the data somewhere else."""
    names = ["ixi.yaml", name] if name.removesuffix(".yaml") in cohort_cards.kinds() and name != "ixi.yaml" else [name]
    config = copy.deepcopy(DEFAULT)
    for one in names:
        config = schema.merge(config, yaml.safe_load((ROOT / "examples" / one).read_text()))
    for cohort, options in config["cohorts"].items():
        if options.get("root"):
            options["root"] = str(placeholder(tmp_path / cohort, options["kind"]))
    assert set(configuration.resolve(config)["test_on"]) == set(config["test_on"])


def test_misspelt_entries_of_a_preset_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "PRESETS", tmp_path)
    (tmp_path / "mine.yaml").write_text("sizes: {pdppm: {}, ddpm: {resources: {gpus: 0}}}\n")
    said = problems(preset="mine")
    assert "sizes: no method is called 'pdppm', did you mean 'pddpm'?" in said
    assert "unknown key 'gpus', did you mean 'gpu'?" in said


def test_presets_based_on_each_other_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "PRESETS", tmp_path)
    (tmp_path / "mine.yaml").write_text("base: yours\n")
    (tmp_path / "yours.yaml").write_text("base: mine\n")
    assert "mine is based on yours is based on mine; a preset cannot be based on itself" in problems(preset="mine")


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
        ({"modalities": ["T2w"]}, "modalities: no cohort in use has T2w (they have phantom: FLAIR)"),
        (
            {"cohorts": {"phantom": {"modalities": ["PDw"]}}, "modalities": ["PDw"]},
            "cohorts.phantom.modalities: phantom has no PDw; it has T1w, T2w, FLAIR",
        ),
        ({"cohorts": {"phantom": {"healty": 3}}}, "cohorts.phantom: unknown key 'healty', did you mean 'healthy'?"),
        ({"cohorts": {"phantom": {"pipeline": "x"}}}, "cohorts.phantom.pipeline: no pipeline is called 'x'"),
        ({"cohorts": {"phantom": {"dataset": "IXI"}}}, "cohorts.phantom.dataset: a phantom cohort is not IXI; leave it out"),
        ({"cohorts": {"phantom": {"split": {"train": 0.9}}}}, "cohorts.phantom.split: the fractions add up to 1.4"),
        ({"pipelines": {"standard": {"intensity": {"method": "nyull"}}}}, "'nyull' is not one of"),
        ({"method_options": {"ddpm": {"training": {"stepps": 1}}}}, "method_options.ddpm.training: unknown key 'stepps'"),
        (
            {"methods": ["mine"], "method_options": {"mine": {"base": "ddpm", "parameters": {"noise": 1}}}},
            "method_options.mine.parameters: unknown key 'noise'",
        ),
        ({"evaluation": {"median": 4}}, "evaluation.median: 4 is even"),
        (
            {"pipelines": {"standard": {"registration": "none", "template": "/a.nii"}}},
            "pipelines.standard.template: with registration none images keep their own grid",
        ),
        ({"pipelines": {"standard": {"shape": [96, 96, 1]}}}, "pipelines.standard.shape: 1 slices are no volume; use 8 or more"),
        (
            {"pipelines": {"standard": {"registration": "none"}}, "test_on": ["phantom", "phantom-implanted"]},
            "test_on: the lesions of phantom-implanted are placed by the template's tissue",
        ),
        (
            {"cohorts": {"phantom": {}, "slices": {"kind": "soop"}}, "test_on": ["phantom", "slices"]},
            "cohorts.slices.pipeline: no cohort of train_on uses slices, so nothing would be tested on slices",
        ),
        ({"pipelines": {"standard": {"reference": "other"}}}, "pipelines.standard.reference: no cohort in use"),
        ({"method_options": {"ddpn": {"training": {"steps": 1}}}}, "no method is called 'ddpn', did you mean 'ddpm'?"),
    ],
)
def test_bad_value_is_named_with_what_is_allowed(values: dict, says: str) -> None:
    assert says in problems(**values)


def test_a_cohort_may_name_a_published_chain_that_pipelines_does_not_define() -> None:
    both = {"cohorts": {"phantom": {}, "slices": {"kind": "soop"}}, "train_on": ["phantom", "slices"]}
    config = configuration.resolve(changed(**both, test_on=["phantom", "slices"], methods=["intensity"]))
    assert config["pipelines"]["slices"]["registration"] == "none"
    assert config["pipelines"]["slices"]["spacing_mm"] == 2.0 != config["pipelines"]["standard"]["spacing_mm"]


def test_methods_are_tested_on_images_of_their_own_pipeline_alone() -> None:
    both = {"cohorts": {"phantom": {}, "slices": {"kind": "soop"}}, "train_on": ["phantom", "slices"]}
    config = configuration.resolve(changed(**both, test_on=["phantom", "phantom-implanted", "slices"], methods=["intensity"]))
    assert [(run["cohort"], run["testset"]) for run in configuration.evaluations(config)] == [
        ("phantom", "phantom"),
        ("phantom", "phantom-implanted"),
        ("slices", "slices"),
    ]


def test_methods_for_volumes_are_left_out_of_single_slices_and_named() -> None:
    both = {"cohorts": {"phantom": {}, "slices": {"kind": "soop"}}, "train_on": ["phantom", "slices"]}
    config = configuration.resolve(changed(**both, test_on=["phantom", "slices"], methods=["vae3d", "intensity"]))
    ran = {(run["method"], run["cohort"]) for run in experiments.runs(config, "methods")}
    assert ran == {("vae3d", "phantom"), ("intensity", "phantom"), ("intensity", "slices")}
    assert experiments.left_out(config) == ["slices FLAIR: single slices, so vae3d is left out: volumes are needed"]


def test_what_stands_on_a_method_for_volumes_is_left_out_of_single_slices_too() -> None:
    both = {"cohorts": {"phantom": {}, "slices": {"kind": "soop"}}, "train_on": ["phantom", "slices"]}
    ensemble = {"rank_mean": {"parts": {"second": "vae3d"}}}
    config = configuration.resolve(changed(**both, test_on=["phantom", "slices"], methods=["rank_mean"], method_options=ensemble))
    assert {(run["method"], run["cohort"]) for run in experiments.runs(config, "methods")} == {("rank_mean", "phantom")}


def test_a_preset_decides_the_test_sets_that_the_configuration_leaves_open() -> None:
    open_ones = {"preset": "quickstart", "cohorts": {"phantom": {"kind": "phantom"}, "soop": {"kind": "soop"}}}
    open_ones |= {"modalities": ["FLAIR"], "methods": ["intensity"]}
    config = configuration.resolve(open_ones)
    assert config["train_on"] == ["soop", "phantom"] and config["test_on"] == ["soop", "phantom-implanted"]
    assert configuration.resolve({**open_ones, "preset": "smoke"})["train_on"] == ["phantom"]
    assert configuration.resolve({**open_ones, "train_on": ["soop"], "test_on": ["soop"]})["test_on"] == ["soop"]


def test_slices_of_one_space_need_no_template() -> None:
    own = {"registration": "none", "shape": [96, 96, 1]}
    config = configuration.resolve(changed(pipelines={"standard": own}, test_on=["phantom"], methods=["intensity"]))
    assert config["pipelines"]["standard"]["shape"] == [96, 96, 1]


def bids(**options: object) -> dict:
    return {"cohorts": {"mine": {"kind": "bids", **options}}, "train_on": ["mine"], "test_on": ["mine"]}


def test_data_root_must_exist() -> None:
    assert "cohorts.mine.root: there is no folder '/no/such/folder'" in problems(**bids(root="/no/such/folder"))
    assert "cohorts.mine.root: missing" in problems(**bids())


def test_absent_public_data_come_with_directions() -> None:
    said = problems(cohorts={"mine": {"kind": "brats", "root": "/no/such/folder"}}, test_on=["phantom", "mine"])
    assert "there is no folder '/no/such/folder'" in said and "synapse.org" in said and "BraTS2021_00000_seg.nii.gz" in said


def test_a_kind_that_does_not_exist_is_told_also_where_it_is_not_used() -> None:
    said = problems(cohorts={"mine": {"kind": "bits"}})
    assert "cohorts.mine.kind: no kind of cohort is called 'bits', did you mean 'bids'?" in said


def test_patients_cannot_be_learnt_from(tmp_path: Path) -> None:
    said = problems(cohorts={"mine": {"kind": "wmh", "root": str(tmp_path)}}, train_on=["mine"], test_on=["mine"])
    assert "train_on: mine has patients only" in said


def test_lesions_are_put_into_the_healthy(tmp_path: Path) -> None:
    said = problems(cohorts={"mine": {"kind": "wmh", "root": str(tmp_path)}}, test_on=["phantom", "mine-implanted"])
    assert "test_on: mine-implanted needs healthy subjects, and mine has none" in said


def test_a_kind_brings_its_options_and_the_cohort_has_the_last_word(tmp_path: Path) -> None:
    cohorts = {name: {"kind": "brats", "root": str(tmp_path / name)} for name in ("plain", "own")}
    cohorts["own"] |= {"skull_strip": "bet", "patient_split": {"validation": 0.5, "test": 0.5}, "dataset": None}
    for name in cohorts:
        (tmp_path / name).mkdir()
        (tmp_path / name / "BraTS2021_00000_flair.nii.gz").write_bytes(b"")
    resolved = configuration.resolve(changed(cohorts=cohorts, test_on=["phantom", "plain", "own"]))["cohorts"]
    plain, own = ([resolved[name][key] for key in ("skull_strip", "dataset", "group")] for name in cohorts)
    assert (plain, own) == (["none", "BraTS21", "patient"], ["bet", None, "patient"])
    assert round(resolved["plain"]["patient_split"]["validation"] * 1251) == 100
    assert resolved["own"]["patient_split"] == {"validation": 0.5, "test": 0.5}


def test_downloads_go_to_results() -> None:
    cohorts = {"healthy": {"kind": "ixi", "download": True}}
    resolved = configuration.resolve(changed(cohorts=cohorts, train_on=["healthy"], test_on=["healthy"], modalities=["T2w"]))
    assert resolved["cohorts"]["healthy"]["root"] == "results/downloads/healthy"


def test_one_data_set_is_one_cohort(tmp_path: Path) -> None:
    cohorts = {name: {"kind": "bids", "root": str(tmp_path)} for name in ("first", "second")}
    said = problems(cohorts=cohorts, train_on=["first"], test_on=["second"])
    assert "cohorts.second.root: the same folder as cohorts.first" in said


def test_all_problems_come_at_once() -> None:
    said = problems(**bids(root="/no"), methods=["nothing"], seeds=[0])
    assert "no method" in said and "there is no folder" in said


def test_unused_cohort_is_not_checked(tmp_path: Path) -> None:
    cohorts = {"mine": {"kind": "bids", "root": str(tmp_path)}, "other": {"kind": "bids", "root": "/not/mounted"}}
    config = configuration.resolve(changed(cohorts=cohorts, train_on=["mine"], test_on=["mine"]))
    assert configuration.used_cohorts(config) == ["mine"]
    assert sequences.reference(config, "standard", "FLAIR") == "mine"


def test_untrained_methods_run_with_one_seed() -> None:
    config = configuration.resolve(changed(methods=["intensity", "ddpm"], seeds=[0, 1, 2]))
    count = {name: sum(run["method"] == name for run in experiments.runs(config, "methods")) for name in config["methods"]}
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


def test_every_limit_of_the_quality_is_complete() -> None:
    limits = configuration.resolve(changed(quality={"limits": {"template_dice": {"exclude": [0.5, None]}}}))["quality"]["limits"]
    assert limits["template_dice"] == {"flag": [0.88, None], "exclude": [0.5, None]}
    assert limits["brain_volume_ml"] == {"flag": [900, 2200], "exclude": None}


@pytest.mark.parametrize(
    ("quality", "words"),
    [
        ({"limits": {"template_dise": {}}}, "unknown key 'template_dise', did you mean 'template_dice'?"),
        ({"limits": {"template_dice": {"flag": [0.9, 0.5]}}}, "quality.limits.template_dice.flag: the lowest comes first"),
        ({"exclude": {"phantoms": ["sub-01"]}}, "quality.exclude: no cohort is called 'phantoms', did you mean 'phantom'?"),
        ({"exclude": {"phantom": ["sub-01"]}, "keep": {"phantom": ["sub-01"]}}, "quality.keep.phantom: sub-01 is also in"),
        ({"outlier_z": 0}, "quality.outlier_z"),
    ],
)
def test_impossible_quality_is_refused(quality: dict, words: str) -> None:
    assert words in problems(quality=quality)


def test_a_command_needs_a_way_of_stripping_that_calls_one() -> None:
    cohort = {"skull_strip": "bet", "skull_strip_command": "apptainer run synthstrip.sif"}
    assert "skull_strip_command: skull_strip is bet, which calls no program" in problems(cohorts={"phantom": cohort})
    called = configuration.resolve(changed(cohorts={"phantom": {**cohort, "skull_strip": "synthstrip"}}))
    assert called["cohorts"]["phantom"]["skull_strip_command"] == cohort["skull_strip_command"]


@pytest.mark.parametrize("command", ["run 'it", "  "])
def test_a_command_that_is_none_is_told_before_anything_runs(tmp_path: Path, command: str) -> None:
    cohort = {"kind": "bids", "root": str(tmp_path), "skull_strip": "synthstrip", "skull_strip_command": command}
    said = problems(cohorts={"mine": cohort}, test_on=["phantom", "mine"])
    assert f"cohorts.mine.skull_strip_command: '{command}' is not a command" in said


def test_names_that_yaml_reads_as_numbers_are_to_be_quoted() -> None:
    said = problems(quality={"exclude": {"phantom": [7]}}, pipelines={"standard": {"shape": [96, 96]}})
    assert "quality.exclude.phantom.0" in said and "write it in quotes: '7'" in said
    assert "pipelines.standard.shape: [96, 96] is too short; give 3 values" in said
