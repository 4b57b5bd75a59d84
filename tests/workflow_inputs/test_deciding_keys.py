"""Every key of the configuration makes run again what depends on it and nothing else, as the table of keys says."""

from __future__ import annotations

import os
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from madad.configuration import deciding_keys, model_keys, schema, settings
from madad.core.io import model_archive
from madad.core.io.manifest import write_table
from madad.data.cohorts.finding import contents
from madad.data.preprocessing import quality_columns
from madad.reporting.deliverables.registry import DELIVERABLES
from madad.workflow import cohorts, paths, startup
from tests.workflow_inputs.conftest import touch
from tests.workflow_inputs.rule_texts import ROOT, Jobs, again, changed, read

KEYS = model_keys.keys()
# What `*` stands for below the first part of a key; phantoms have keys of their own.
NAMES = {"cohorts": "study", "pipelines": "standard", "method_options": "ddpm"}
OF_PHANTOMS = ("healthy", "patients", "seed", "spacing_mm", "modalities")
IXI = {"cohorts": {"ixi": {"kind": "ixi", "download": True}}, "train_on": ["ixi"], "test_on": ["ixi"], "modalities": ["T2w"]}
HD_BET = {"cohorts": {"study": {"skull_strip": "hd-bet"}}}
FLOW = {"pipelines": {"standard": {"denoise": "curvature_flow"}}}
PARTED = {"methods": ["cddpm"], "method_options": {"cddpm": {"parts": {"pretraining": "spark"}}}}
MINE = {"methods": ["ddpm", "disyre", "mine"], "method_options": {"mine": {"base": "ddpm"}}}
# An ensemble of one method with two seeds.
TWICE = {
    "methods": ["twice"],
    "method_options": {
        "twice": {"base": "rank_mean", "parts": {"first": "ddpm", "second": "ddpm"}, "part_seeds": {"first": 0, "second": 1}}
    },
    "seeds": [0, 1, 2],
}
ROWS = {row.name for row in DELIVERABLES}
# One image for each split; that of the test split crosses every limit that excludes.
SHARD = [
    {"subject": f"sub-0{number}", "split": split, "modality": "FLAIR", "group": "healthy", "status": "ok"}
    | dict.fromkeys(quality_columns.MEASURES, "0" if split == "test" else "1")
    for number, split in enumerate(("test", "train", "validation"), 1)
]
STRICT = {"quality": {"limits": {"template_dice": {"exclude": [0.01, None]}}}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with a data set, files to name, and the empty shards of finished work."""
    folder, before = tmp_path_factory.mktemp("keys"), Path.cwd()
    os.chdir(folder)
    for root in ("data", "more"):
        images = [f"sub-0{number}/anat/sub-0{number}_{name}.nii.gz" for number in range(1, 7) for name in ("FLAIR", "T1w")]
        touch([*(f"{root}/{image}" for image in images), f"{root}/derivatives/masks/sub-01/anat/sub-01_label-lesion_mask.nii.gz"])
        Path(root, "participants.tsv").write_text(
            "participant_id\tgroup\n"
            + "".join(f"sub-0{number}\t{'healthy' if number > 1 else 'patient'}\n" for number in range(1, 7))
        )
    touch(
        [
            f"lub/{above}patient0{number}_FLAIR.nii.gz"
            for number in (1, 2)
            for above in (f"patient0{number}/", f"patient0{number}/raw/")
        ]
    )
    touch(["lub/patient01/patient01_consensus_gt.nii.gz", "ixi/IXI012-HH-1211-T2.nii.gz"])
    touch(["template.nii.gz", "brain.nii.gz", "lesions/one.nii.gz"])
    for ending in (".py", ".yaml"):
        touch([f"mine/chance{ending}"])
        text = (ROOT / "madad/methods/random").with_suffix(ending).read_text()
        Path(f"mine/chance{ending}").write_text(text.replace("name: random", "name: chance"))
    write_model(Path("model.zip"))
    for name in ("study", "phantom", "ixi"):
        table, empty = paths.shard_tables(name, "standard", 2)
        touch([table, empty])
        write_table(table, SHARD, quality_columns.COLUMNS)
    touch(paths.bank("standard", 2))
    yield folder
    os.chdir(before)


def write_model(path: Path) -> None:
    """A model file of ddpm at the sizes of the preset; nothing reads the weights before the training."""
    resolved = settings.resolve({**yaml.safe_load((ROOT / "config.yaml").read_text()), "preset": "smoke", "methods": ["ddpm"]})
    about = {"base": "ddpm", "build": resolved["methods"]["ddpm"]["options"]["FLAIR"], "weights": {}}
    Path("weights").write_bytes(b"")
    model_archive.write(path, {**dict.fromkeys(model_archive.OF_WEIGHTS), **about}, Path("weights"))


@pytest.fixture(scope="module")
def base(place: Path) -> dict:
    """The configuration that is changed: two cohorts, a method that learns from lesions, test sets of every kind."""
    study = {"kind": "bids", "root": str(place / "data")}
    testsets = ["study", "study-implanted", "study-corrupted", "phantom"]
    chosen = {"methods": ["ddpm", "disyre"], "cohorts": {"study": study}, "train_on": ["study"], "test_on": testsets}
    return {"preset": "smoke", "pipelines": {"standard": {}}, **chosen}


@pytest.fixture(scope="module")
def jobs(place: Path) -> typing.Callable[[dict], Jobs]:
    """Jobs of a configuration; each is read once."""
    known: dict[str, Jobs] = {}

    def of(config: dict) -> Jobs:
        text = yaml.safe_dump(config)
        if text not in known:
            known[text] = read(config)
        return known[text]

    return of


def special(place: Path) -> dict[str, tuple[dict, dict]]:
    """What must be set before a key can be changed, and the change, where the next value of its type will not do."""

    def study(**options: Any) -> tuple[dict, dict]:
        return {}, {"cohorts": {"study": options}}

    def chain(**options: Any) -> tuple[dict, dict]:
        return {}, {"pipelines": {"standard": options}}

    def ddpm(**options: Any) -> tuple[dict, dict]:
        return {}, {"method_options": {"ddpm": options}}

    more_train, more_patients = {"train": 0.6, "validation": 0.1, "test": 0.3}, {"validation": 0.4, "test": 0.6}
    second = {"study": {"pipeline": "second"}, "phantom": {"pipeline": "second"}}
    template, brain = str(place / "template.nii.gz"), str(place / "brain.nii.gz")
    read_ixi = {**IXI, "cohorts": {"ixi": {"kind": "ixi", "root": str(place / "ixi")}}}
    lub = {"cohorts": {"lub": {"kind": "mslub", "root": str(place / "lub")}}, "test_on": ["study", "lub"]}
    return {
        "cohorts.*.variant": (lub, {"cohorts": {"lub": {"variant": "raw"}}}),
        "cohorts.*.splits": (lub, {"cohorts": {"lub": {"splits": "random"}}}),
        "preset": ({}, {"preset": "quickstart"}),
        "cohorts.*.kind": ({}, {"cohorts": {"phantom": {"kind": "bids", "root": str(place / "more")}}}),
        "cohorts.*.root": study(root=str(place / "more")),
        "cohorts.*.download": (read_ixi, {"cohorts": {"new": IXI["cohorts"]["ixi"]}, "test_on": ["ixi", "new"]}),
        "cohorts.*.mirror": (IXI, {"cohorts": {"ixi": {"mirror": "https://example.org"}}}),
        "cohorts.*.pipeline": ({"pipelines": {"second": {}}}, {"cohorts": second}),
        "cohorts.*.skull_strip_command": (HD_BET, {"cohorts": {"study": {"skull_strip_command": "run hd-bet"}}}),
        "cohorts.*.split.train": study(split=more_train),
        "cohorts.*.split.validation": study(split={"train": 0.6, "validation": 0.2, "test": 0.2}),
        "cohorts.*.split.test": study(split=more_train),
        "cohorts.*.patient_split.validation": study(patient_split=more_patients),
        "cohorts.*.patient_split.test": study(patient_split=more_patients),
        "cohorts.*.validation_patients": study(validation_patients=["sub-01"]),
        "cohorts.*.lesion_labels": study(lesion_labels=[1]),
        "cohorts.*.limit": study(limit=5),
        "cohorts.*.brain_masks": study(brain_masks="derivatives/x/{subject}/*.nii.gz"),
        "cohorts.*.lesion_masks": study(lesion_masks="derivatives/x/{subject}/*.nii.gz"),
        "cohorts.*.modalities": ({}, {"cohorts": {"phantom": {"modalities": ["FLAIR", "T1w"]}}}),
        **{key: study(columns={key.split(".")[-1]: "other"}) for key in KEYS if key.startswith("cohorts.*.columns.")},
        "cohorts.*.healthy_values": study(healthy_values=["control"]),
        "cohorts.*.filters": study(filters={"FLAIR": {"acq": "high"}}),
        "cohorts.*.shards": study(shards=5),
        "train_on": ({}, {"train_on": ["study", "phantom"]}),
        "test_on": ({"test_on": ["study"]}, {"test_on": ["study", "study-implanted", "study-corrupted"]}),
        "modalities": ({}, {"modalities": ["FLAIR", "T1w"]}),
        "pipelines.*.base": chain(base="mad_ad"),
        "pipelines.*.template": chain(template=template),
        "pipelines.*.template_brain": ({"pipelines": {"standard": {"template": template}}}, chain(template_brain=brain)[1]),
        "pipelines.*.shape": chain(shape=[32, 48, 32]),
        "pipelines.*.denoise_at_mm": (FLOW, chain(denoise_at_mm=2.5)[1]),
        "pipelines.*.reference": chain(reference="phantom"),
        "method_folders": ({}, {"method_folders": [str(place / "mine")]}),
        "methods": ({"methods": ["ddpm"]}, {"methods": ["ddpm", "disyre"]}),
        "method_options.*.parameters": ddpm(parameters={"noise_scale": 1.5}),
        "method_options.*.training": ddpm(training={"steps": 3}),
        "method_options.*.resources.gpu": ddpm(resources={"gpu": 1}),
        "method_options.*.resources.mem_mb": ddpm(resources={"mem_mb": 2000}),
        "method_options.*.base": (MINE, {"method_options": {"mine": {"base": "pddpm"}}}),
        "method_options.*.parts": ({"methods": ["cddpm"]}, PARTED),
        "method_options.*.part_seeds": (TWICE, {"method_options": {"twice": {"part_seeds": {"second": 2}}}}),
        "seeds": ({}, {"seeds": [0, 1]}),
        "initial_weights": ({}, {"initial_weights": {"ddpm": str(place / "model.zip")}}),
        "anomalies.lesion_masks": ({}, {"anomalies": {"lesion_masks": str(place / "lesions")}}),
        "anomalies.bank.shards": ({}, {"anomalies": {"bank": {"shards": 5}}}),
        "quality.exclude": ({}, {"quality": {"exclude": {"study": ["sub-01"]}}}),
        "quality.keep": (STRICT, {"quality": {"keep": {"study": ["sub-01"]}}}),
        "implanted.volumes_ml": ({}, {"implanted": {"volumes_ml": [7.0]}}),
        "implanted.contrasts": ({}, {"implanted": {"contrasts": [0.25]}}),
        "evaluation.erosion": ({}, {"evaluation": {"erosion": 2}}),
        "evaluation.median": ({}, {"evaluation": {"median": 7}}),
        "evaluation.slices": ({}, {"evaluation": {"slices": ["mid_slice"]}}),
        "evaluation.min_component": ({}, {"evaluation": {"min_component": 5}}),
    }  # fmt: skip


def change(key: str, place: Path, base: dict) -> tuple[dict, dict]:
    """What to set first, and a configuration with another value of one key."""
    if key in special(place):
        return special(place)[key]
    *above, last = key.split(".")
    names = {**NAMES, "cohorts": "phantom"} if above[:1] == ["cohorts"] and last in OF_PHANTOMS else NAMES
    parts = [names[above[0]] if part == "*" else part for part in (*above, last)]
    now: Any = settings.resolve(schema.merge(yaml.safe_load((ROOT / "config.yaml").read_text()), base))
    for part in parts:
        now = now.get(part) if isinstance(now, dict) else None
    value = [0.01, None] if last in ("flag", "exclude") else other(KEYS[key], now)
    for part in reversed(parts):
        value = {part: value}
    return {}, value


def other(kind: Any, now: Any) -> Any:
    """Another value of a type."""
    if isinstance(now, bool):
        return not now
    if isinstance(now, int | float):
        return now + 1 if isinstance(now, int) else now * 0.9 + 0.001
    if isinstance(now, list) and len(now) > 1:
        return [now[0] * 1.1, *now[1:]] if isinstance(now[0], float) else now[:-1]
    choices = [value for part in (kind, *typing.get_args(kind)) for value in typing.get_args(part)]
    return next((value for value in choices if isinstance(value, str) and value != now), 3)


@pytest.mark.slow
# A partial report of a run in which nothing has finished is refused (test_dryrun.py, test_finished.py).
@pytest.mark.parametrize("key", [key for key in KEYS if key != "partial"])
def test_a_key_makes_run_again_what_depends_on_it_and_nothing_else(
    key: str, place: Path, base: dict, jobs: typing.Callable[[dict], Jobs]
) -> None:
    before, difference = change(key, place, base)
    old, new = (jobs(config) for config in (schema.merge(base, before), schema.merge(schema.merge(base, before), difference)))
    row = deciding_keys.decision(key)
    again = changed(old, new) - {"provenance"}
    assert set(row.rules) <= again, "rules of the table that would not run again"
    if row.adds:
        same = {job for job in old.texts if job in new.texts and old.texts[job] != new.texts[job]}
        assert {rule for rule, _ in same} <= ROWS | {"all", "nifti", "masks", "provenance"}, "work that was done already"
    else:
        assert again <= new.below(set(row.rules)) | {"leakage", "ledger", "quality_page"}, "rules that the key does not decide"
        first = {rule for rule in again if not any(rule in new.below({one}) for one in again - {rule})}
        assert first <= set(row.rules) or not row.rules


@pytest.mark.slow
@pytest.mark.parametrize("quality", [{"exclude": {"study": ["sub-01"]}}, STRICT["quality"]])
def test_who_is_excluded_from_the_test_split_trains_nothing(
    quality: dict, base: dict, jobs: typing.Callable[[dict], Jobs]
) -> None:
    run_again = again(jobs(base), jobs(schema.merge(base, {"quality": quality})))
    assert {"selection test", "pack test", "infer", "evaluate"} <= run_again
    assert not {"selection train", "intensity", "pack train", "pack validation", "train", "bank"} & run_again


def test_who_is_excluded_from_the_training_split_is_not_trained_on(base: dict, jobs: typing.Callable[[dict], Jobs]) -> None:
    run_again = again(jobs(base), jobs(schema.merge(base, {"quality": {"exclude": {"study": ["sub-02"]}}})))
    assert {"selection train", "pack train", "train"} <= run_again and "preprocess" not in run_again


def fresh(base: dict) -> Jobs:
    """Jobs as another process would read them."""
    cohorts._found.cache_clear()
    cohorts._text.cache_clear()
    return read(base)


@pytest.mark.slow
def test_times_and_columns_that_are_not_used_make_nothing_run_again(place: Path, base: dict) -> None:
    plan = startup.plan(schema.merge(yaml.safe_load((ROOT / "config.yaml").read_text()), base), str(ROOT))
    image, table = place / "data/sub-01/anat/sub-01_FLAIR.nii.gz", place / "data/participants.tsv"
    before = fresh(base)
    contents.write(
        Path(paths.cohort_folder("study")), cohorts.reading(plan, "study"), cohorts._found(*cohorts._seen(plan, "study"))
    )
    os.utime(image)
    table.write_text(table.read_text().replace("\n", "\tshoe\n"))
    assert again(before, fresh(base)) == set()
    image.write_bytes(b"another image")
    assert {"cohort", "preprocess", "train"} <= again(before, fresh(base))


def test_every_row_of_the_table_has_a_key() -> None:
    used = {deciding_keys.decision(key) for key in KEYS}
    assert used == set(deciding_keys.DECISIONS)


def test_the_page_is_that_of_the_table() -> None:
    assert deciding_keys.table(list(KEYS)) in (ROOT / "docs/reference/reruns.md").read_text(), (
        "run: python -m madad stage reruns --out docs/reference/reruns.md"
    )
