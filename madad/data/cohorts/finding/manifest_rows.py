"""From the folders of a data set to the rows of a manifest: every image is checked, every subject is in one split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from madad.core import logs
from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import Row
from madad.core.provenance import file_hash
from madad.core.seeds import seed_from
from madad.data.cohorts.finding import splits
from madad.data.cohorts.finding.file_layout import UNKNOWN, Image, Layout
from madad.data.cohorts.finding.mask_files import best_mask, grid_of
from madad.data.cohorts.finding.participants import label
from madad.data.cohorts.finding.unrecognised_files import foreign_files

Find = Callable[[Path, dict], Layout]


@dataclass
class Findings:
    """Everything found so far while reading a cohort.

    Attributes:
        rows: rows of the manifest.
        excluded: subject, path and reason of everything that cannot be used.
        seen: images by size of their files, to find identical ones.
        hashes: hashes of the files that had to be read for that.
    """

    rows: list[Row] = field(default_factory=list)
    excluded: list[Row] = field(default_factory=list)
    seen: dict[int, list[Image]] = field(default_factory=dict)
    hashes: dict[Path, str] = field(default_factory=dict)

    def exclude(self, subject: str, path: Path | str, reason: str) -> None:
        """Record something that cannot be used."""
        self.excluded.append({"subject": subject, "path": str(path), "reason": reason})


def read(find: Find, root: Path, options: dict, modalities: list[str]) -> tuple[list[Row], list[Row]]:
    """Read a data set.

    Args:
        find: the function of that name in the module of the data set's kind.
        root: the data set's folder; paths in the rows start with it.
        options: group ("auto", "healthy", "patient"), split, patient_split, validation_patients, split_seed, limit,
            lesion_labels, and the options of `find`.
        modalities: sequences to read, by BIDS suffix.

    Returns:
        rows of a manifest, and excluded rows with subject, path and reason. A bad image excludes only that image.

    Raises:
        UserError: no such root, no subjects, a modality that no subject has, or no usable image at all.
    """
    root = Path(root)
    layout = find(root, options)
    findings = Findings(excluded=list(layout.excluded))
    _check_modalities(root, layout.images, modalities)
    for subject in logs.progress(_in_order(layout.images, options), f"reading {root.name}"):
        if _is_full(findings, options):
            continue
        if subject in layout.conflicts:
            findings.exclude(subject, root, layout.conflicts[subject])
        else:
            _read_subject(root, subject, layout, options, modalities, findings)
    if not findings.rows:
        raise UserError(f"{root}: no usable image; {_first_reasons(findings.excluded)}")
    _deal(findings.rows, options)
    return sorted(findings.rows, key=lambda row: (row["subject"], row["session"], row["modality"])), findings.excluded


def _in_order(found: dict[str, list[Image]], options: dict) -> list[str]:
    """Return the subjects by name; if their number is limited, in a random order given by the seed."""
    if options.get("limit") is None:
        return sorted(found)
    return sorted(found, key=lambda subject: seed_from(options["split_seed"], "limit", subject))


def _is_full(findings: Findings, options: dict) -> bool:
    limit = options.get("limit")
    return limit is not None and len({row["subject"] for row in findings.rows}) >= limit


def _read_subject(root: Path, subject: str, layout: Layout, options: dict, modalities: list[str], findings: Findings) -> None:
    """Add the subject's rows, unless one of its images is another subject's."""
    images = layout.images[subject]
    wanted = [image for image in images if image.modality in modalities]
    if not wanted:
        folder = images[0].path.parent if images else root / subject
        findings.exclude(subject, folder, f"no {' or '.join(modalities)} image")
    chosen = []
    for _, of_session in groupby(wanted, key=lambda image: image.session):
        chosen += _one_per_modality(list(of_session), modalities, findings)
    for image in chosen:
        twin = _twin(image, findings)
        if twin:
            reason = f"the same file as {twin.path}: two subjects with one image would leak between splits; remove the wrong one"
            findings.exclude(image.subject, image.path, reason)
            return
    for image in chosen:
        findings.seen.setdefault(image.path.stat().st_size, []).append(image)
    try:
        findings.rows += _rows(chosen, layout, options)
    except SubjectError as error:
        findings.exclude(subject, images[0].path, str(error))


def _one_per_modality(images: list[Image], modalities: list[str], findings: Findings) -> list[Image]:
    """Return the first readable image of each modality of a session."""
    chosen: dict[str, Image] = {}
    for image in images:
        if image.modality in chosen:
            reason = f"{chosen[image.modality].path.name} is used as the {image.modality} of this session; only one can be used"
            findings.exclude(image.subject, image.path, reason)
            continue
        try:
            _check_name(image.path)
            grid_of(image.path, image.frame)
        except SubjectError as error:
            findings.exclude(image.subject, ascii(str(image.path)) if _is_garbled(image.path) else image.path, str(error))
        else:
            chosen[image.modality] = image
    for modality in modalities:
        if modality not in {image.modality for image in images}:
            reason = f"no {modality} image here; the subject is left out where it is needed"
            findings.exclude(images[0].subject, images[0].path.parent, reason)
    return list(chosen.values())


def _is_garbled(path: Path) -> bool:
    """Return whether the bytes of a name are no text in the encoding of the file system."""
    return any("\ud800" <= letter <= "\udfff" for letter in str(path))


def _check_name(path: Path) -> None:
    if _is_garbled(path):
        raise SubjectError(f"{str(path)!a}: the name is not valid UTF-8, so no table can contain it; rename the file or folder")


def _twin(image: Image, findings: Findings) -> Image | None:
    """Return an image of another subject with the same bytes, if any. Only files of equal size are read."""
    for other in findings.seen.get(image.path.stat().st_size, []):
        if other.subject != image.subject and _hash(other.path, findings) == _hash(image.path, findings):
            return other
    return None


def _hash(path: Path, findings: Findings) -> str:
    """Return the hash of a file's bytes; each file is read once, as all uncompressed images of a data set have one size."""
    if path not in findings.hashes:
        findings.hashes[path] = file_hash(path)
    return findings.hashes[path]


def _rows(images: list[Image], layout: Layout, options: dict) -> list[Row]:
    rows = []
    labels = " ".join(str(value) for value in options.get("lesion_labels") or ())
    for image in images:
        grid = grid_of(image.path, image.frame)
        brain = best_mask(layout.brain_masks(image), image, grid)
        lesion = best_mask(layout.lesion_masks(image), image, grid, one="lesion_masks")
        if layout.lesions_known and not lesion:
            raise SubjectError(f"{image.path}: no lesion mask beside it; a patient without one cannot be scored")
        identity = {"subject": image.subject, "session": image.session, "modality": image.modality, "path": str(image.path)}
        masks = {"brain_mask": brain, "lesion_mask": lesion, "lesion_labels": labels if lesion else ""}
        person = {**UNKNOWN, **layout.people.get(image.subject, {})}
        rows.append({**person, **identity, **masks, "frame": image.frame, "split": ""})
    group = _group(rows, options)
    return [{**row, "group": group} for row in rows]


def _group(rows: list[Row], options: dict) -> str:
    """Return the option, else patient if there is a lesion mask, else what is known about the person."""
    if not rows:
        return ""
    asked, known = options.get("group", "auto"), rows[0]["group"]
    marked = any(row["lesion_mask"] for row in rows)
    if marked and "healthy" in (asked, known):
        taken = "healthy" if asked == "healthy" else "a patient"
        logs.warn(f"{rows[0]['subject']} is listed as healthy but has a lesion mask; it is used as {taken}")
    if asked != "auto":
        return asked
    return "patient" if marked else known or "healthy"


def _deal(rows: list[Row], options: dict) -> None:
    keys = ("subject", "group", "age", "sex", "lesion_kind")
    people = {row["subject"]: splits.Person(*(row[key] for key in keys)) for row in rows}
    unmarked = {s for s, p in people.items() if p.group == "patient"} - {row["subject"] for row in rows if row["lesion_mask"]}
    if unmarked:
        logs.warn(f"{len(unmarked)} patient(s) without a lesion mask, such as {min(unmarked)}; set lesion_masks if there are any")
    named = {label(name) for name in options.get("validation_patients") or ()}
    if options.get("limit") is None:
        for subject in sorted(named - {s for s, p in people.items() if p.group == "patient"}):
            logs.warn(f"validation_patients: {subject} is not a patient of this cohort")
    chosen = splits.assign(list(people.values()), options["split"], options["patient_split"], options["split_seed"], named)
    for row in rows:
        row["split"] = chosen[row["subject"]]


def _check_modalities(root: Path, found: dict[str, list[Image]], modalities: list[str]) -> None:
    there = sorted({image.modality for images in found.values() for image in images})
    for modality in modalities:
        if modality not in there:
            foreign = None if there else foreign_files(root)
            found_are = ", ".join(there) or "no NIfTI images at all" + (f"; {foreign}" if foreign else "")
            raise UserError(f"{root}: no subject has a {modality} image; found are {found_are}")


def _first_reasons(excluded: list[Row], shown: int = 3) -> str:
    reasons = "; ".join(row["reason"] for row in excluded[:shown])
    return reasons + (f"; and {len(excluded) - shown} more" if len(excluded) > shown else "")
