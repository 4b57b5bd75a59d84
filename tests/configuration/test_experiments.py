"""Methods that use trained parts: which runs follow, what the method gets to know, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from madad.configuration import cards, experiments, schema
from madad.configuration import settings as configuration
from madad.core.errors import UserError

DEFAULT = yaml.safe_load((Path(__file__).resolve().parents[2] / "config.yaml").read_text())


def resolved(methods: list[str], **options: dict) -> dict:
    changes = {
        "train_on": ["phantom"],
        "test_on": ["phantom", "phantom-implanted"],
        "methods": methods,
        "method_options": options,
        "seeds": [3, 4],
    }
    return configuration.resolve(schema.merge(copy.deepcopy(DEFAULT), changes))


def problems(methods: list[str], **options: dict) -> str:
    with pytest.raises(UserError) as caught:
        resolved(methods, **options)
    return str(caught.value)


def test_a_part_that_is_not_compared_is_trained_all_the_same() -> None:
    config = resolved(["mhd"])
    assert list(config["methods"]) == ["mhd"] and list(config["parts"]) == ["cddpm"]
    assert [run["seed"] for run in experiments.runs(config, "parts")] == ["3", "4"]
    assert {run["method"] for run in configuration.evaluations(config)} == {"mhd"}


def test_a_part_that_is_compared_is_trained_once() -> None:
    config = resolved(["cddpm", "mhd"])
    assert not config["parts"] and config["methods"]["mhd"]["parts"] == {"model": "cddpm"}


def test_what_stands_on_seeded_parts_runs_for_every_seed_on_the_part_of_its_own() -> None:
    config = resolved(["mhd"])
    runs = experiments.runs(config, "methods")
    assert [run["seed"] for run in runs] == ["3", "4"]
    assert [part["seed"] for run in runs for part in experiments.part_runs(config, run)] == ["3", "4"]


def test_an_ensemble_over_seeds_runs_once_on_the_part_of_each() -> None:
    ensemble = {"parts": {"first": "dae", "second": "dae"}, "part_seeds": {"first": 3, "second": 4}}
    config = resolved(["dae", "rank_mean"], rank_mean=ensemble)
    (run,) = [run for run in experiments.runs(config, "methods") if run["method"] == "rank_mean"]
    assert [(part["method"], part["seed"]) for part in experiments.part_runs(config, run)] == [("dae", "3"), ("dae", "4")]
    assert [part["seed"] for part in config["methods"]["rank_mean"]["options"]["FLAIR"]["parts"].values()] == [3, 4]


def test_ensembles_over_other_seeds_share_no_weights() -> None:
    one, other = ({"base": "rank_mean", "part_seeds": {"first": seed}} for seed in (3, 4))
    config = resolved(["one", "other"], one=one, other=other)
    assert config["methods"]["one"]["weights_from"] is config["methods"]["other"]["weights_from"] is None
    runs = [run for run in experiments.runs(config, "methods") if run["method"] == "one"]
    seeds = [[part["seed"] for part in experiments.part_runs(config, run)] for run in runs]
    assert seeds == [["3", "3"], ["3", "4"]], "a part without a seed of its own has that of the run"


def test_any_method_may_be_a_part_where_the_card_says_so() -> None:
    config = resolved(
        ["rank_mean"], rank_mean={"parts": {"first": "intensity", "second": "mhd", "third": "noisy"}}, noisy={"base": "ae"}
    )
    assert config["methods"]["rank_mean"]["parts"] == {"first": "intensity", "second": "mhd", "third": "noisy"}


def test_a_component_is_trained_once_for_all_seeds() -> None:
    config = resolved(["cddpm"], cddpm={"parts": {"pretraining": "spark"}})
    runs = experiments.runs(config, "methods")
    assert len(runs) == 2 and [run["seed"] for run in experiments.runs(config, "parts")] == ["3"]
    assert [part["seed"] for run in runs for part in experiments.part_runs(config, run)] == ["3", "3"]


def test_an_optional_part_is_off_unless_asked_for() -> None:
    config = resolved(["cddpm"])
    assert not config["parts"] and config["methods"]["cddpm"]["options"]["FLAIR"]["parts"] == {}


def test_the_part_is_told_apart_from_how_it_is_used() -> None:
    config = resolved(["mhd"], cddpm={"parameters": {"test_timesteps": [100, 200]}})
    part = config["methods"]["mhd"]["options"]["FLAIR"]["parts"]["model"]
    assert part["parameters"]["test_timesteps"] == [100, 200] and part["overrides"] == {"test_timesteps": [500]}
    assert part["method"] == part["base"] == "cddpm" and "training" not in part


def test_methods_on_an_encoder_from_elsewhere_are_told_apart() -> None:
    config = resolved(["patchcore", "seen"], seen={"base": "patchcore", "parts": {"encoder": "local_encoder"}})
    assert {name: entry["track"] for name, entry in config["methods"].items()} == {"patchcore": "healthy", "seen": "pretrained"}


def test_labels_that_a_part_saw_count() -> None:
    config = resolved(["mhd", "guided"], guided={"base": "mhd", "parts": {"model": "cldm"}})
    assert {name: entry["track"] for name, entry in config["methods"].items()} == {"mhd": "healthy", "guided": "lesion-masks"}
    assert experiments.beneath(config, "guided") == ["cldm", "kl_autoencoder"]


def test_volumes_where_the_parameters_say_three_dimensions() -> None:
    deep = {"base": "kl_autoencoder", "parameters": {"spatial_dims": 3}}
    variant = {"base": "ldm", "parameters": {"spatial_dims": 3}, "parts": {"autoencoder": "deep"}}
    config = resolved(["ldm", "cldm", "ldm_3d"], deep=deep, ldm_3d=variant)
    kinds = {name: entry["options"]["FLAIR"]["data"] for name, entry in {**config["methods"], **config["parts"]}.items()}
    assert kinds["ldm_3d"] == kinds["deep"] == {"kind": "volumes", "pairs": False}
    assert kinds["cldm"] == {"kind": "slices", "pairs": True} and kinds["ldm"]["kind"] == "slices"


def test_a_variant_may_serve() -> None:
    config = resolved(["mine"], mine={"base": "mhd", "parts": {"model": "noisy"}}, noisy={"base": "ddpm"})
    assert config["methods"]["mine"]["parts"] == {"model": "noisy"} and config["parts"]["noisy"]["base"] == "ddpm"


@pytest.mark.parametrize(
    ("methods", "options", "says"),
    [
        (["mhd"], {"mhd": {"parts": {"model": "intensity"}}}, "method_options.mhd.parts.model: 'intensity' cannot be used here"),
        (["mhd"], {"mhd": {"parts": {"model": None}}}, "method_options.mhd.parts.model: cannot be null"),
        (["mhd"], {"mhd": {"parts": {"model": "cdpm"}}}, "no method is called 'cdpm', did you mean 'cddpm'"),
        (["mhd"], {"mhd": {"parts": {"modle": "cddpm"}}}, "no role is called 'modle', did you mean 'model'"),
        (["mhd"], {"mhd": {"parts": {"model": "mhd"}}}, "mhd needs mhd; a method cannot be a part of itself"),
        (["cddpm"], {"cddpm": {"parts": {"pretraining": "ddpm"}}}, "'ddpm' cannot be used here; choose spark"),
        (["intensity"], {"intensity": {"parts": {"model": "ddpm"}}}, "intensity uses no parts"),
        (["rank_mean"], {"rank_mean": {"parts": {"first": "spark"}}}, "'spark' cannot be used here; choose any method"),
        (["rank_mean"], {"rank_mean": {"part_seeds": {"first": 5}}}, "part_seeds.first: 5 is none of the seeds 3, 4"),
        (["rank_mean"], {"rank_mean": {"part_seeds": {"third": 3}}}, "no role with a part is called 'third'"),
        (
            ["rank_mean"],
            {"rank_mean": {"parts": {"first": "intensity"}, "part_seeds": {"first": 3}}},
            "part_seeds.first: its part is the same for every seed",
        ),
        (
            ["cddpm"],
            {"cddpm": {"parts": {"pretraining": "spark"}}, "spark": {"parameters": {"encoder_depth": 50}}},
            "encoder_depth is 18 in cddpm, but 50 in spark",
        ),
        (
            ["ldm"],
            {"ldm": {"parts": {"autoencoder": "deep"}}, "deep": {"base": "kl_autoencoder", "parameters": {"spatial_dims": 3}}},
            "spatial_dims is 2 in ldm, but 3 in deep",
        ),
        (
            ["mhd"],
            {"mhd": {"parts": {"model": "ddpm"}}, "ddpm": {"parameters": {"num_train_timesteps": 300, "test_timesteps": [100]}}},
            "mhd uses ddpm with {'test_timesteps': [500]}",
        ),
        (["ddpm"], {"ddpm": {"parameters": {"test_timesteps": [2000]}}}, "[2000] goes beyond num_train_timesteps = 1000"),
        (
            ["mad_ad"],
            {"mad_ad": {"parameters": {"test_steps": 7}}},
            "7 of 10 noise levels cannot be evenly spaced; 10, 5, 4, 3, 2 can",
        ),
        (["ddpm"], {"ddpm": {"parameters": {"norm_groups": 7}}}, "7 does not divide base_channels = 16"),
        (["mddpm"], {"mddpm": {"parameters": {"mask_ratio": [0.9, 0.1]}}}, "[0.9, 0.1] falls"),
        (["spark"], {}, "spark is a component that methods use"),
        (
            ["ddpm"],
            {"unused": {"base": "mhd", "parameters": {"drawz": 1}}},
            "method_options.unused.parameters: unknown key 'drawz'",
        ),
    ],
)
def test_parts_that_cannot_be_are_refused_by_name(methods: list[str], options: dict, says: str) -> None:
    assert says in problems(methods, **options)


def test_resources_of_card_preset_and_configuration() -> None:
    """The nearer to the user, the stronger; what nobody says is the card's."""
    lines = resolved(["ddpm", "intensity"], ddpm={"resources": {"mem_mb": 1234}})["methods"]
    assert lines["ddpm"]["resources"] == {"gpu": 0, "threads": 1, "mem_mb": 1234, "runtime_min": 60}
    assert lines["intensity"]["resources"] == cards.load("intensity")["resources"]


def test_light_resources_of_a_preset_are_for_its_own_sizes() -> None:
    """A wide variant in a preset of narrow networks must not be squeezed into their memory and time."""
    wide = {"base": "ddpm", "parameters": {"base_channels": 128}}
    lines = resolved(["ddpm", "ddpm_wide"], ddpm_wide=wide)["methods"]
    assert lines["ddpm"]["resources"]["gpu"] == 0
    assert lines["ddpm_wide"]["resources"] == cards.load("ddpm")["resources"]


def test_light_resources_of_a_preset_hold_for_a_choice_between_names() -> None:
    """Another law of noise costs what the preset's own does."""
    lines = resolved(["ddpm", "white"], white={"base": "ddpm", "parameters": {"noise_kind": "gaussian"}})["methods"]
    assert lines["white"]["resources"] == lines["ddpm"]["resources"] != cards.load("ddpm")["resources"]


def test_resources_by_wrong_names_or_numbers_are_refused() -> None:
    said = problems(["ddpm"], ddpm={"resources": {"memory": 4000, "threads": 0}})
    assert "unknown key 'memory', did you mean 'mem_mb'?" in said and "method_options.ddpm.resources.threads" in said


def test_noise_laws_are_those_of_methods_that_differ_in_them() -> None:
    assert experiments.noise_laws(resolved(["dae", "ddpm"])) == {}
    wider = {"base": "dae", "parameters": {"base_channels": 32}}
    assert experiments.noise_laws(resolved(["dae", "wider"], wider=wider)) == {}
    laws = experiments.noise_laws(resolved(["dae", "ddpm", "fine"], fine={"base": "dae", "parameters": {"noise_resolution": 32}}))
    assert {name: law["noise_resolution"] for name, law in laws.items()} == {"dae": 16, "fine": 32}
    assert all(key.startswith("noise_") for law in laws.values() for key in law)


def weight_sources(methods: list[str], **options: dict) -> dict[str, str]:
    return {
        name: entry["weights_from"] for name, entry in resolved(methods, **options)["methods"].items() if entry["weights_from"]
    }


def test_what_differs_at_inference_alone_shares_a_training() -> None:
    late = {"base": "ddpm", "parameters": {"test_timesteps": [250], "slices_per_pass": 8}}
    assert weight_sources(["ddpm", "late"], late=late) == {"late": "ddpm"}
    assert weight_sources(["late", "ddpm"], late=late) == {"late": "ddpm"}  # the one named after the card is trained
    later = {**late, "parameters": {"test_timesteps": [300]}}
    for order in (["late", "later"], ["later", "late"]):
        assert weight_sources(order, late=late, later=later) == {"later": "late"}


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"noise_scale": 2.0}},
        {"training": {"steps": 7}},
        {"base": "cddpm", "parts": {"pretraining": "spark"}},
    ],
)
def test_other_trainings_are_not_shared(changes: dict) -> None:
    variant = {"base": "ddpm", **changes}
    assert weight_sources([variant["base"], "variant"], variant=variant) == {}


def test_what_learns_nothing_reuses_nothing() -> None:
    variants = {
        "bright": {"base": "intensity", "parameters": {"tail": "bright"}},
        "few": {"base": "mhd", "parameters": {"draws": 3}},
    }
    assert weight_sources(["intensity", "bright", "mhd", "few"], **variants) == {}


def test_a_training_is_told_nothing_of_inference() -> None:
    def told(**parameters: object) -> dict:
        return experiments.of_training(resolved(["ddpm"], ddpm={"parameters": parameters})["methods"]["ddpm"]["options"]["FLAIR"])

    assert told() == told(test_timesteps=[250]) != told(noise_scale=2.0)
