"""The cohort `bids`: any BIDS data set, checked and dealt into splits."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from madad import logs
from madad.cohorts import splits
from madad.cohorts.bids_files import Image, best_mask, grid_of, images_of, mask_candidates, subject_folders
from madad.cohorts.participants import read_participants
from madad.errors import SubjectError, UserError
from madad.manifest import Row
from madad.provenance import file_hash
from madad.seeds import seed_from

BRAIN_MASKS = "derivatives/*/{subject}/**/*brain*mask.nii*"
LESION_MASKS = "derivatives/*/{subject}/**/*lesion*mask.nii*"
UNKNOWN = {"age": "", "sex": "", "site": "", "group": "", "lesion_kind": ""}


@dataclass
class Ledger:
    """What reading a cohort has found so far.

    Attributes:
        rows: of the manifest. excluded: subject, path and reason of what cannot be used.
        seen: files by size, to find images that are one and the same.
    """

    rows: list[Row] = field(default_factory=list)
    excluded: list[Row] = field(default_factory=list)
    seen: dict[int, list[Image]] = field(default_factory=dict)

    def exclude(self, subject: str, path: Path | str, reason: str) -> None:
        self.excluded.append({"subject": subject, "path": str(path), "reason": reason})


def read(root: Path, options: dict, modalities: list[str]) -> tuple[list[Row], list[Row]]:
    """Read a BIDS data set.

    Args:
        root: the data set's folder; paths in the rows start with it.
        options: group ("auto", "healthy", "patient"), split, patient_split, split_seed, limit, brain_masks, lesion_masks.
        modalities: BIDS suffixes wanted.

    Returns:
        Rows of a manifest, and excluded rows with subject, path and reason. A bad image costs that image, not the cohort.

    Raises:
        UserError: no such root, no subjects, a modality that no subject has, or no usable image at all.
    """
    root, ledger = Path(root), Ledger()
    folders, misnamed = subject_folders(root)
    for folder in misnamed:
        ledger.exclude(folder.name, folder, "the folder's name is no BIDS label; use letters and digits after sub-")
    found = {folder.name: images_of(folder) for folder in folders}
    _check_modalities(root, found, modalities)
    known, conflicts = read_participants(root)
    for subject in sorted(known.keys() - found.keys()):
        ledger.exclude(subject, root / subject, "listed in participants.tsv but there is no such folder")
    for subject in logs.progress(_in_order(found, options), f"reading {root.name}"):
        if _is_full(ledger, options):
            continue
        if subject in conflicts:
            ledger.exclude(subject, root / "participants.tsv", conflicts[subject])
        else:
            _read_subject(root, subject, found[subject], known.get(subject, UNKNOWN), options, modalities, ledger)
    if not ledger.rows:
        raise UserError(f"{root}: no usable image; {_first_reasons(ledger.excluded)}")
    _deal(ledger.rows, options)
    return sorted(ledger.rows, key=lambda row: (row["subject"], row["session"], row["modality"])), ledger.excluded


def _in_order(found: dict[str, list[Image]], options: dict) -> list[str]:
    """By name; shuffled under the seed when only some are wanted, so that those are no chosen few."""
    if options.get("limit") is None:
        return sorted(found)
    return sorted(found, key=lambda subject: seed_from(options["split_seed"], "limit", subject))


def _is_full(ledger: Ledger, options: dict) -> bool:
    limit = options.get("limit")
    return limit is not None and len({row["subject"] for row in ledger.rows}) >= limit


def _read_subject(
    root: Path, subject: str, images: list[Image], person: Row, options: dict, modalities: list[str], ledger: Ledger
) -> None:
    """Add the subject's rows, unless one of its images is another subject's."""
    wanted = [image for image in images if image.modality in modalities]
    if not wanted:
        ledger.exclude(subject, root / subject, f"no {' or '.join(modalities)} image")
    chosen = []
    for _, of_session in groupby(wanted, key=lambda image: image.session):
        chosen += _one_a_modality(list(of_session), modalities, ledger)
    for image in chosen:
        twin = _twin(image, ledger)
        if twin:
            reason = f"the same file as {twin.path}: two subjects with one image would leak between splits; remove the wrong one"
            ledger.exclude(image.subject, image.path, reason)
            return
    for image in chosen:
        ledger.seen.setdefault(image.path.stat().st_size, []).append(image)
    try:
        ledger.rows += _rows(root, chosen, person, options)
    except SubjectError as error:
        ledger.exclude(images[0].subject, images[0].path, str(error))


def _one_a_modality(images: list[Image], modalities: list[str], ledger: Ledger) -> list[Image]:
    """The first readable image of each modality of a session."""
    chosen: dict[str, Image] = {}
    for image in images:
        if image.modality in chosen:
            reason = f"{chosen[image.modality].path.name} is taken as the {image.modality} of this session; one is used"
            ledger.exclude(image.subject, image.path, reason)
            continue
        try:
            grid_of(image.path)
        except SubjectError as error:
            ledger.exclude(image.subject, image.path, str(error))
        else:
            chosen[image.modality] = image
    for modality in modalities:
        if modality not in {image.modality for image in images}:
            reason = f"no {modality} image here; the subject takes no part where it is needed"
            ledger.exclude(images[0].subject, images[0].path.parent, reason)
    return list(chosen.values())


def _twin(image: Image, ledger: Ledger) -> Image | None:
    """An image of another subject with the same bytes. Only files of one size are read."""
    for other in ledger.seen.get(image.path.stat().st_size, []):
        if other.subject != image.subject and file_hash(other.path) == file_hash(image.path):
            return other
    return None


def _rows(root: Path, images: list[Image], person: Row, options: dict) -> list[Row]:
    rows = []
    for image in images:
        grid = grid_of(image.path)
        masks = {
            key: best_mask(mask_candidates(root, options.get(option) or default, image.subject), image, grid, one)
            for key, option, default, one in (
                ("brain_mask", "brain_masks", BRAIN_MASKS, None),
                ("lesion_mask", "lesion_masks", LESION_MASKS, "lesion_masks"),
            )
        }
        place = {"subject": image.subject, "session": image.session, "modality": image.modality, "path": str(image.path)}
        rows.append({**person, **place, **masks, "split": ""})
    group = _group(rows, person, options)
    return [{**row, "group": group} for row in rows]


def _group(rows: list[Row], person: Row, options: dict) -> str:
    """The option, else a lesion mask means patient, else the participants table."""
    asked, marked = options.get("group", "auto"), any(row["lesion_mask"] for row in rows)
    if marked and "healthy" in (asked, person["group"]):
        taken = "healthy" if asked == "healthy" else "a patient"
        logs.warn(f"{rows[0]['subject']} is called healthy but has a lesion mask; it is taken as {taken}")
    if asked != "auto":
        return asked
    return "patient" if marked else person["group"] or "healthy"


def _deal(rows: list[Row], options: dict) -> None:
    keys = ("subject", "group", "age", "sex", "lesion_kind")
    people = {row["subject"]: splits.Person(*(row[key] for key in keys)) for row in rows}
    unmarked = {s for s, p in people.items() if p.group == "patient"} - {row["subject"] for row in rows if row["lesion_mask"]}
    if unmarked:
        logs.warn(f"{len(unmarked)} patient(s) without a lesion mask, such as {min(unmarked)}; set lesion_masks if there are any")
    chosen = splits.assign(list(people.values()), options["split"], options["patient_split"], options["split_seed"])
    for row in rows:
        row["split"] = chosen[row["subject"]]


def _check_modalities(root: Path, found: dict[str, list[Image]], modalities: list[str]) -> None:
    there = sorted({image.modality for images in found.values() for image in images})
    for modality in modalities:
        if modality not in there:
            raise UserError(
                f"{root}: no subject has a {modality} image; found are {', '.join(there) or 'no NIfTI images at all'}"
            )


def _first_reasons(excluded: list[Row], shown: int = 3) -> str:
    reasons = "; ".join(row["reason"] for row in excluded[:shown])
    return reasons + (f"; and {len(excluded) - shown} more" if len(excluded) > shown else "")
