"""The built-in cohort: heads generated from the ICBM152 template and written as a BIDS data set, without any download.

It serves to try and test the pipeline. All later stages are the same as for real data.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from madad.core import logs, provenance
from madad.core.errors import UserError
from madad.core.io.manifest import write_table
from madad.core.io.volumes import Volume, save_volume
from madad.core.seeds import numpy_generator
from madad.data.cohorts.phantoms import contrast, head, lesions, shape, tissue
from madad.data.cohorts.phantoms.atlas import atlas
from madad.data.cohorts.phantoms.subjects import Recipe, recipes

GENERATOR = "madad phantom"
COLUMNS = ("participant_id", "age", "sex", "group", "site", "lesion_kind")
README = """Made by a program, not by a scanner: heads derived from the ICBM152 template (Fonov et al. 2011) for trying and
testing a pipeline. Nothing here says anything about people. `derivatives/recipes` holds what each subject was made from.
"""


def build(root: Path, options: dict, workers: int = 1) -> None:
    """Write the cohort as a BIDS data set; existing subjects with the same fingerprint are kept.

    Args:
        root: folder of the data set.
        options: healthy and patients (numbers of subjects), seed, spacing_mm (approximate, as each subject varies), modalities.
        workers: number of processes.

    Raises:
        UserError: a modality that the phantom does not know, or `root` contains another data set.
    """
    root = Path(root)
    _check(root, options)
    people = recipes(options["healthy"], options["patients"], options["seed"])
    _write_descriptions(root)
    _remove_surplus(root, {person.subject for person in people})
    missing = [person for person in people if not _is_complete(root, person, options)]
    make = partial(make_subject, root, options)
    done = len(people) - len(missing)
    for _ in logs.progress(_mapped(make, missing, workers), "phantom heads", total=len(people), start=done):
        pass
    write_table(root / "participants.tsv", [person.participant() for person in people], COLUMNS)


def make_subject(root: Path, options: dict, recipe: Recipe) -> None:
    """Generate one subject and write its files, the recipe last, as a sign that the subject is complete."""
    for folder in _folders(root, recipe.subject):
        shutil.rmtree(folder, ignore_errors=True)
    # Marks the subject as generated from the start, so that an incomplete one is recognised later.
    _recipe_file(root, recipe.subject).parent.mkdir(parents=True)
    volumes = synthesise(recipe, options)
    for name, path in _files(root, recipe, options).items():
        save_volume(path, volumes[name])
    record = {"fingerprint": _fingerprint(recipe, options), "recipe": recipe.as_dict()}
    provenance.write_json(_recipe_file(root, recipe.subject), record)


def synthesise(recipe: Recipe, options: dict) -> dict[str, Volume]:
    """Generate one subject: an image per modality, the "brain" mask and a patient's "lesion" mask, all on one native grid."""
    seed, maps = options["seed"], atlas()

    def stream(purpose: str) -> np.random.Generator:
        return numpy_generator(seed, "phantom", recipe.subject, purpose)

    frame = shape.lay_frame(recipe, maps, options["spacing_mm"], stream("shape"))
    frame, mass = lesions.displace_by_tumour(recipe, maps, frame, stream("lesion"))
    matter = tissue.make_tissue(recipe, maps, frame, stream("tissue"))
    lesion = lesions.grow(recipe, maps, frame, matter, mass, stream("growth"))
    around = head.make_surroundings(recipe, maps, frame, stream("head"))
    volumes = {}
    for modality in options["modalities"]:
        clean = contrast.signal(modality, recipe, frame, matter, around, stream(modality))
        clean = lesions.show(lesion, modality, clean, stream(f"{modality} lesion"))
        volumes[modality] = frame.grid.with_array(contrast.acquire(clean, recipe, frame, stream(f"{modality} scan")))
    size = frame.grid.array.shape
    masks = {"brain": matter.brain > 0.5} | ({"lesion": lesion.mask} if lesion else {})
    return volumes | {name: frame.grid.with_array(mask.astype(np.uint8).reshape(size)) for name, mask in masks.items()}


def _mapped(make: partial, people: list[Recipe], workers: int) -> Iterator[None]:
    if workers <= 1 or len(people) <= 1:
        yield from map(make, people)
        return
    # Spawned, not forked: a fork would copy the locks held by threads of loaded libraries.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(people)), mp_context=context) as pool:
        yield from pool.map(make, people)


def _fingerprint(recipe: Recipe, options: dict) -> str:
    """Return a hash of everything that determines a subject: code, recipe and options, but not the number of subjects."""
    kept = [options["seed"], options["spacing_mm"], sorted(options["modalities"])]
    return provenance.content_hash([provenance.fingerprint(__name__), recipe.as_dict(), *kept])


def _is_complete(root: Path, recipe: Recipe, options: dict) -> bool:
    try:
        record = json.loads(_recipe_file(root, recipe.subject).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    there = all(path.exists() for path in _files(root, recipe, options).values())
    return there and record.get("fingerprint") == _fingerprint(recipe, options)


def _files(root: Path, recipe: Recipe, options: dict) -> dict[str, Path]:
    """Return the files of a subject by the names of `synthesise`."""
    name = recipe.subject
    _, brain_masks, lesion_masks, raw = _folders(root, name)
    files = {modality: raw / "anat" / f"{name}_{modality}.nii.gz" for modality in options["modalities"]}
    files["brain"] = brain_masks / "anat" / f"{name}_desc-brain_mask.nii.gz"
    return files | ({"lesion": lesion_masks / "anat" / f"{name}_label-lesion_mask.nii.gz"} if recipe.kind else {})


def _recipe_file(root: Path, subject: str) -> Path:
    return root / "derivatives" / "recipes" / subject / f"{subject}_recipe.json"


def _folders(root: Path, subject: str) -> tuple[Path, ...]:
    """Return the subject's folders, that of the recipe first."""
    derivatives = root / "derivatives"
    return (
        _recipe_file(root, subject).parent,
        derivatives / "brainmask" / subject,
        derivatives / "lesions" / subject,
        root / subject,
    )


def _remove_surplus(root: Path, subjects: set[str]) -> None:
    """Remove phantom subjects of an earlier, larger cohort; only folders that a recipe shows to be generated."""
    for folder in sorted((root / "derivatives" / "recipes").glob("sub-*")):
        if folder.name not in subjects:
            for path in reversed(_folders(root, folder.name)):
                shutil.rmtree(path, ignore_errors=True)


def _check(root: Path, options: dict) -> None:
    unknown = [m for m in options["modalities"] if m not in contrast.MODALITIES]
    if unknown:
        raise UserError(f"modalities: the phantom cannot make {', '.join(unknown)}; it makes {', '.join(contrast.MODALITIES)}")
    description = root / "dataset_description.json"
    if description.exists() and GENERATOR not in description.read_text():
        raise UserError(f"{description}: this folder contains another data set; give the phantom a folder of its own")


def _write_descriptions(root: Path) -> None:
    names = {"": "phantom", "brainmask": "brain masks", "lesions": "lesion masks", "recipes": "what subjects are made from"}
    for part, name in names.items():
        folder, kind = (f"derivatives/{part}", "derivative") if part else ("", "raw")
        text = {"Name": name, "BIDSVersion": "1.9.0", "DatasetType": kind, "GeneratedBy": [{"Name": GENERATOR}]}
        provenance.write_json(root / folder / "dataset_description.json", text)
    with provenance.complete(root / "README") as unfinished:
        unfinished.write_text(README)
