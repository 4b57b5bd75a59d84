"""Published chains, what a pipeline takes from them, and what cannot be."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from madad.configuration import pipelines, schema
from madad.configuration import settings as configuration
from madad.configuration.schema import Options
from madad.core.errors import UserError

RAW = {
    "cohorts": {"phantom": {"kind": "phantom", "pipeline": "mine"}},
    "train_on": ["phantom"],
    "test_on": ["phantom"],
    "modalities": ["FLAIR"],
    "methods": ["intensity"],
    "preset": "smoke",
}


def resolved(own: Options, **cohort: object) -> Options:
    whole = schema.merge(RAW, {"pipelines": {"mine": own}, "cohorts": {"phantom": cohort}})
    return configuration.resolve(whole)


def refusal(own: Options) -> str:
    with pytest.raises(UserError) as caught:
        resolved(own)
    return str(caught.value)


@pytest.mark.parametrize("name", pipelines.names())
def test_every_published_chain_resolves(name: str) -> None:
    found = resolved({"base": name, "template": "icbm152"})["pipelines"]["mine"]
    for key, value in pipelines.published(name).items():
        if key != "template":
            assert found[key] == value if key != "intensity" else found[key].items() >= value.items()


@pytest.mark.parametrize("name", pipelines.names())
def test_every_published_chain_says_where_it_comes_from_and_what_differs(name: str) -> None:
    lines = (pipelines.PRESETS / f"{name}.yaml").read_text().splitlines()
    head = "\n".join(itertools.takewhile(lambda line: line.startswith("#"), lines))
    assert "# Source:" in head and "# There" in head and "# What differs here:" in head


def test_own_keys_win_over_the_chain_and_the_chain_over_the_preset() -> None:
    plain, chain, own = (
        resolved(options)["pipelines"]["mine"]
        for options in ({}, {"base": "mad_ad"}, {"base": "mad_ad", "spacing_mm": 2.0, "shape": None, "intensity": {"lower": 2}})
    )
    assert plain["spacing_mm"] == 5.0 and chain["spacing_mm"] == 1.0 and own["spacing_mm"] == 2.0
    assert chain["shape"] == [256, 256, 168] and own["shape"] is None
    assert own["intensity"] == {"method": "percentile", "lower": 2, "upper": 99.0}


@pytest.mark.parametrize("name", ["behrendt", "meissen"])
def test_a_chain_on_sri24_asks_for_the_file(name: str) -> None:
    assert "pipelines.mine.template: SRI24 is not shipped; download sri24_spm8.zip" in refusal({"base": name})


def test_a_cohort_that_says_nothing_takes_the_skull_strip_of_its_pipeline() -> None:
    own = {"skull_strip": "template"}
    assert resolved({})["cohorts"]["phantom"]["skull_strip"] == "bet"  # the preset smoke
    assert resolved(own)["cohorts"]["phantom"]["skull_strip"] == "template"
    assert resolved(own, skull_strip="bet")["cohorts"]["phantom"]["skull_strip"] == "bet"
    cohorts = {"stripped": {"pipeline": "mine", "skull_strip": "none"}, "masks": {"pipeline": "mine", "skull_strip": "given"}}
    assert pipelines.suggest_skull_strip(cohorts, {}, {"mine": own}) == cohorts


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"base": "berendt"}, "pipelines.mine.base: no published chain is called 'berendt', did you mean 'behrendt'?"),
        ({"template": "icbm"}, "pipelines.mine.template: 'icbm' is neither icbm152 nor a NIfTI file"),
        ({"template": "/nowhere/t1.nii"}, "pipelines.mine.template: there is no file '/nowhere/t1.nii'"),
        ({"template_brain": "/nowhere/m.nii"}, "pipelines.mine.template_brain: icbm152 has its own brain mask"),
        ({"shape": [90, 96, 50]}, "pipelines.mine.shape: 90 is not a multiple of 16, and networks halve slices; use 80 or 96"),
        ({"shape": [96, 96]}, "pipelines.mine.shape: [96, 96] is too short"),
        ({"shape": [96, 96, 50], "spacing_mm": 1.0}, "cover 96 x 96 x 50 mm of a head; use more voxels"),
        ({"denoise": "curvature_flow", "denoise_at_mm": 2.0}, "2 mm does not divide spacing_mm (5 mm) into whole voxels"),
        ({"denoise": "curvature_flow", "denoise_at_mm": 9.0}, "9 mm does not divide spacing_mm (5 mm)"),
        ({"denoise": "flow"}, "pipelines.mine.denoise: 'flow' is not one of"),
        ({"algin": "joint"}, "pipelines.mine: unknown key 'algin', did you mean 'align'?"),
    ],
)
def test_what_cannot_be_is_refused_by_name(own: Options, says: str) -> None:
    assert says in refusal(own)


def test_template_files_that_exist_are_taken(tmp_path: Path) -> None:
    for name in ("t1.nii", "mask.nii.gz"):
        (tmp_path / name).touch()
    own = {"template": str(tmp_path / "t1.nii"), "template_brain": str(tmp_path / "mask.nii.gz")}
    assert resolved(own)["pipelines"]["mine"].items() >= own.items()
    assert "there is no file" in refusal({**own, "template_brain": str(tmp_path / "other.nii")})
