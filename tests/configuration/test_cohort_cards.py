from __future__ import annotations

from pathlib import Path

import pytest

from madad.configuration import cohort_cards
from madad.core.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = [kind for kind in cohort_cards.kinds() if kind != "bids" and not cohort_cards.card(kind).get("made")]
COHORT = {"download": False, "dataset": None, "variant": None, "modalities": ["FLAIR"]}


def problems(kind: str, **given: object) -> str:
    return "\n".join(cohort_cards.problems("cohorts.x", {**COHORT, "kind": kind, **given}))


def test_every_kind_has_code_and_a_card() -> None:
    assert {"atlas", "bids", "brats", "ixi", "msd", "mslub", "phantom", "wmh"} <= set(cohort_cards.kinds())
    assert list(cohort_cards.kinds()) == sorted(path.stem for path in cohort_cards.FOLDER.glob("*.py") if path.stem != "__init__")
    for kind in cohort_cards.kinds():
        assert (cohort_cards.FOLDER / f"{kind}.py").exists()
        assert {"title", "about", "licence", "access"} <= cohort_cards.card(kind).keys()


@pytest.mark.parametrize("kind", PUBLIC)
def test_directions_tell_terms_source_and_layout(kind: str) -> None:
    told, card = cohort_cards.directions(kind), cohort_cards.card(kind)
    assert card["licence"] in told and "http" in told and card["modalities"]
    assert all(line in told for line in card["tree"].splitlines())


@pytest.mark.parametrize("kind", [*PUBLIC, "bids"])
def test_the_documentation_shows_the_same_layout(kind: str) -> None:
    page = (ROOT / "docs/reference" / ("bids.md" if kind == "bids" else "cohorts.md")).read_text(encoding="utf-8")
    assert cohort_cards.card(kind)["tree"] in page and cohort_cards.card(kind)["licence"] in page


@pytest.mark.parametrize(
    ("kind", "skull_strip", "dataset"),
    [
        ("ixi", None, "IXI"),
        ("brats", "none", "BraTS21"),
        ("atlas", None, "ATLAS"),
        ("mslub", None, "MSLUB"),
        ("wmh", None, "WMH"),
        ("msd", "none", None),
        ("bids", None, None),
    ],
)
def test_kinds_bring_their_options(kind: str, skull_strip: str | None, dataset: str | None) -> None:
    options = cohort_cards.defaults(kind, {})
    assert (options.get("skull_strip"), options.get("dataset")) == (skull_strip, dataset)


def test_published_sizes_are_those_of_the_papers() -> None:
    shares = {kind: cohort_cards.published(kind).get("patient_split") for kind in PUBLIC}
    assert round(shares["brats"]["validation"] * 1251, 6) == 100 and round(shares["brats"]["test"] * 1251, 6) == 1151
    assert round(shares["atlas"]["validation"] * 655, 6) == 175 and shares["wmh"] == {"validation": 0.25, "test": 0.75}
    assert len(cohort_cards.published("mslub")["validation_patients"]) == 10 and shares["msd"] is None


@pytest.mark.parametrize(
    ("given", "published"),
    [
        ({}, True),
        ({"splits": "random"}, False),
        ({"patient_split": {"validation": 0.5, "test": 0.5}}, False),
        ({"validation_patients": ["07"]}, False),
        ({"split": {"train": 1.0}}, True),
    ],
)
def test_the_published_split_holds_unless_another_is_given(given: dict, published: bool) -> None:
    assert ("validation_patients" in cohort_cards.defaults("mslub", given)) == published
    assert ("patient_split" in cohort_cards.defaults("brats", given)) == published


@pytest.mark.parametrize("kind", PUBLIC)
def test_data_that_are_not_there_come_with_directions(kind: str) -> None:
    for said in (problems(kind), problems(kind, root="/no/such/folder")):
        assert said.startswith("cohorts.x.root: ") and cohort_cards.card(kind)["where"].splitlines()[0] in said
    assert "there is no folder '/no/such/folder'" in said


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("brats", {"download": True}, "cohorts.x.download: brats cannot be downloaded by a program (ixi can)"),
        ("ixi", {"download": True, "root": "/"}, "leave out one of the two"),
        ("ixi", {"root": "/", "variant": "raw"}, "cohorts.x.variant: IXI comes in one variant"),
        ("phantom", {"dataset": "IXI"}, "a phantom cohort is not IXI"),
    ],
)
def test_options_that_do_not_fit_are_told(kind: str, given: dict, says: str) -> None:
    assert says in problems(kind, **given)


def test_what_fits_is_no_problem() -> None:
    assert problems("ixi", download=True) == problems("wmh", root="/", variant="raw") == problems("bids", root="/") == ""


def test_an_unknown_kind_is_told_with_the_nearest() -> None:
    assert list(cohort_cards.unknown_kinds({"a": {"kind": "brat"}, "b": {"kind": "ixi"}})) == [
        "cohorts.a.kind: no kind of cohort is called 'brat', did you mean 'brats'?"
    ]


@pytest.mark.parametrize("kind", ["phantom", "soop"])
@pytest.mark.parametrize("key", ["root", "download", "mirror"])
def test_images_are_never_made_in_a_folder_of_the_user(key: str, kind: str) -> None:
    assert f"cohorts.x.{key}: {kind} images are made in results/cohorts" in problems(kind, **{key: "/data/my_study"})


def test_only_kinds_that_are_made_have_numbers_of_subjects() -> None:
    assert cohort_cards.made_subjects({"kind": "phantom", "healthy": 3, "patients": 2}) == (3, 2)
    assert cohort_cards.made_subjects({"kind": "soop", "healthy": 3, "patients": 2}) == (320, 150)
    assert cohort_cards.made_subjects({"kind": "bids", "healthy": 3, "patients": 2}) is None


def test_a_mirror_is_an_address_of_a_download() -> None:
    said = problems("ixi", download=True, mirror="/data/mirror")
    assert "cohorts.x.mirror: '/data/mirror' does not start with https:// or http://; for a folder set root" in said
    assert problems("ixi", download=True, mirror="http://localhost:8000") == ""
    assert "cohorts.x.mirror: nothing is downloaded; add download: true" in problems("ixi", mirror="https://example.org")


@pytest.mark.parametrize("key", ["title", "where", "subject"])
def test_a_card_without_a_key_is_refused_with_its_name(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (cohort_cards.FOLDER / "msd.yaml").read_text(encoding="utf-8").replace(f"\n{key}:", f"\nnot_{key}:")
    (tmp_path / "toy.yaml").write_text(lines if key != "title" else lines.replace("title:", "not_title:", 1))
    monkeypatch.setattr(cohort_cards, "FOLDER", tmp_path)
    with pytest.raises(UserError, match=rf"toy\.yaml: {key} missing"):
        cohort_cards.card("toy")
