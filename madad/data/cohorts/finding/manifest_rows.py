"""From the folders of a data set to the rows of a manifest: every image is checked, every subject is in one split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from madad.core import logs
from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import NO_SPLIT, Row
from madad.core.seeds import seed_from
from madad.data.cohorts.finding import groups, splits
from madad.data.cohorts.finding.file_layout import UNKNOWN, Image, Layout
from madad.data.cohorts.finding.image_choice import choose
from madad.data.cohorts.finding.mask_files import best_mask, grid_of
from madad.data.cohorts.finding.participants import label
from madad.data.cohorts.finding.reading import Depth, Reading
from madad.data.cohorts.finding.unrecognised_files import foreign_files

Find = Callable[[Path, dict], Layout]


def read(find: Find, root: Path, options: dict, modalities: Sequence[str], depth: Depth = "all") -> Reading:
    """Read a data set.

    Args:
        find: the function of that name in the module of the data set's kind.
        root: the data set's folder; paths in the rows start with it.
        options: group ("auto", "healthy", "patient", "by_mask", "unlabelled"), split, patient_split, validation_patients,
            split_seed, limit, lesion_labels, filters, and the options of `find`.
        modalities: sequences to read, by BIDS suffix.
        depth: "names": no image and no mask is opened, so that every file counts as usable and every lesion mask as marking
            a lesion, unless a table says that the subject is healthy; "files": headers and lesion masks are read; "all":
            identical images are also looked for.

    Returns:
        Rows of a manifest, and everything that was left out or passed over. A bad image excludes only that image.

    Raises:
        UserError: no such root, no subjects, a modality that no subject has, or no usable image at all.
    """
    root = Path(root)
    layout = find(root, options)
    reading = Reading(depth, excluded=list(layout.excluded), notes=list(layout.notes))
    _check_modalities(root, layout.images, modalities)
    in_order = _in_order(layout.images, options)
    for subject in in_order if depth == "names" else logs.progress(in_order, f"reading {root.name}"):
        if _is_full(reading, options):
            continue
        _read_subject(root, subject, layout, options, modalities, reading)
    if not reading.rows:
        raise UserError(f"{root}: no usable image; {_first_reasons(reading.excluded)}")
    _deal(reading, options)
    reading.rows.sort(key=lambda row: (row["subject"], row["session"], row["modality"]))
    return reading


def _in_order(found: dict[str, list[Image]], options: dict) -> list[str]:
    """Return the subjects by name; if their number is limited, in a random order given by the seed."""
    if options.get("limit") is None:
        return sorted(found)
    return sorted(found, key=lambda subject: seed_from(options["split_seed"], "limit", subject))


def _is_full(reading: Reading, options: dict) -> bool:
    """Return whether the limit is reached; subjects without a split (unknown, unless `group: unlabelled`) do not count."""
    limit = options.get("limit")
    return limit is not None and len({row["subject"] for row in reading.rows if row["split"] != NO_SPLIT}) >= limit


def _read_subject(root: Path, subject: str, layout: Layout, options: dict, modalities: Sequence[str], reading: Reading) -> None:
    """Add the subject's rows, unless one of its images is another subject's."""
    images, chosen = layout.images[subject], []
    if not any(image.modality in modalities for image in images):
        folder = images[0].path.parent if images else root / subject
        reading.exclude(subject, folder, f"no {' or '.join(modalities)} image")
        images = []
    for _, of_session in groupby(images, key=lambda image: image.session):
        chosen += _one_per_modality(list(of_session), modalities, options, reading)
    for image in chosen:
        twin = reading.twin(image)
        if twin:
            reason = f"the same file as {twin.path}: two subjects with one image would leak between splits; remove the wrong one"
            reading.exclude(image.subject, image.path, reason)
            return
    reading.remember(chosen)
    try:
        rows = _rows(chosen, layout, options, reading)
    except SubjectError as error:
        reading.exclude(subject, chosen[0].path, str(error))
        return
    reading.rows += rows
    _pass_over(subject, rows, layout, modalities, reading)


def _one_per_modality(images: list[Image], modalities: Sequence[str], options: dict, reading: Reading) -> list[Image]:
    """Return the first readable image of each modality of a session."""
    chosen: list[Image] = []
    filters = options.get("filters") or {}
    wanted = [image for image in images if image.modality in modalities]
    if not wanted:
        reading.exclude(images[0].subject, images[0].path.parent, f"no {' or '.join(modalities)} image in this session")
        return []
    for modality in modalities:
        own = [image for image in wanted if image.modality == modality]
        if own:
            choice = choose(own, modality, filters.get(modality))
            reading.passed += [reading.row(own[0].subject, path, reason) for path, reason in choice.passed]
            if choice.problem:
                reading.exclude(own[0].subject, own[0].path.parent, choice.problem)
            chosen += _first_readable(choice.kept, reading)
        else:
            reason = f"no {modality} image here; it takes part without {modality}"
            reading.exclude(images[0].subject, images[0].path.parent, reason)
    return chosen


def _first_readable(images: Sequence[Image], reading: Reading) -> list[Image]:
    used: list[Image] = []
    for image in images:
        if used:
            reason = f"{used[0].path.name} is used as the {image.modality} of this session; only one can be used"
            reading.passed.append(reading.row(image.subject, image.path, reason))
            continue
        try:
            _check_name(image.path)
            if reading.depth != "names":
                grid_of(image.path, image.frame)
        except SubjectError as error:
            reading.exclude(image.subject, ascii(str(image.path)) if _is_garbled(image.path) else image.path, str(error))
        else:
            used.append(image)
    return used


def _is_garbled(path: Path) -> bool:
    """Return whether the bytes of a name are no text in the encoding of the file system."""
    return any("\ud800" <= letter <= "\udfff" for letter in str(path))


def _check_name(path: Path) -> None:
    if _is_garbled(path):
        raise SubjectError(f"{str(path)!a}: the name is not valid UTF-8, so no table can contain it; rename the file or folder")


def _rows(images: Sequence[Image], layout: Layout, options: dict, reading: Reading) -> list[Row]:
    if not images:
        return []
    subject = images[0].subject
    person = {**UNKNOWN, **layout.people.get(subject, {})}
    # a mask that has not been opened may be all zero, as those of controls are; it is no evidence against a table
    unopened = reading.depth == "names" and person["group"] == groups.HEALTHY
    lesion = "" if unopened else _lesion_of(subject, layout, options, reading)
    group = groups.decide(options.get("group", "auto"), person["group"], layout.evidence.get(subject, "kind"), lesion)
    if group.conflict:
        reading.notes.append(
            f"{subject} is listed as healthy but has a lesion mask, {lesion}; it is used as "
            f"{'healthy' if group.name == groups.HEALTHY else 'a patient'}"
        )
    # of an unknown group there is evidence where the configuration wants maps of such subjects
    split = "" if group.name != groups.UNKNOWN else "test" if group.evidence else NO_SPLIT
    shared = {**person, "group": group.name, "evidence": group.evidence, "split": split}
    return [_row(image, layout, options, reading) | shared for image in images]


def _row(image: Image, layout: Layout, options: dict, reading: Reading) -> Row:
    grid = None if reading.depth == "names" else grid_of(image.path, image.frame)
    brain = best_mask(layout.brain_masks(image), image, grid)
    lesion = best_mask(layout.lesion_masks(image), image, grid, one="lesion_masks")
    labels = _labels(image.subject, lesion, layout, options)
    if lesion and not layout.masks_trusted and not reading.shows(Path(lesion), labels):
        which = f"has no voxel with a label that counts ({labels})" if labels else "is all zero"
        reading.passed.append(reading.row(image.subject, lesion, f"the lesion mask {which}, so it shows no lesion"))
        lesion = ""
    identity = {"subject": image.subject, "session": image.session, "modality": image.modality, "path": str(image.path)}
    return {
        **identity,
        "brain_mask": brain,
        "lesion_mask": lesion,
        "lesion_labels": labels if lesion else "",
        "frame": image.frame,
    }


def _labels(subject: str, mask: str, layout: Layout, options: dict) -> str:
    """Return the labels of a mask that count as lesion, with spaces between: of the configuration or else of a table."""
    chosen = " ".join(str(value) for value in options.get("lesion_labels") or ())
    return chosen or layout.labels.get(subject, {}).get(mask, "")


def _lesion_of(subject: str, layout: Layout, options: dict, reading: Reading) -> str:
    """Return a mask that marks a lesion of the subject, in any session and on any grid, or an empty text."""
    found = dict.fromkeys(path for image in layout.images[subject] for path in layout.lesion_masks(image))
    known = ((path, _labels(subject, str(path), layout, options)) for path in found)
    return next((str(path) for path, labels in known if layout.masks_trusted or reading.shows(path, labels)), "")


def _pass_over(subject: str, rows: Sequence[Row], layout: Layout, modalities: Sequence[str], reading: Reading) -> None:
    """Record every image and mask of a subject that no row uses and that nothing was said about."""
    used = {row[key] for row in rows for key in ("path", "lesion_mask", "brain_mask")}
    used |= {row["path"] for row in (*reading.passed, *reading.excluded) if row["subject"] == subject}
    images = layout.images[subject]
    others = [
        (image.path, f"a {image.modality} image; the run uses {', '.join(modalities)}")
        for image in images
        if image.modality not in modalities
    ]
    masks = dict.fromkeys(p for image in images for of in (layout.lesion_masks, layout.brain_masks) for p in of(image))
    others += [(path, "a mask of another image, session or space, or a second one") for path in masks]
    for path, reason in [*others, *layout.others.get(subject, [])]:
        if str(path) not in used:
            reading.passed.append(reading.row(subject, path, reason))


def _deal(reading: Reading, options: dict) -> None:
    """Assign every subject of known group to a split."""
    keys = ("subject", "group", "age", "sex", "lesion_kind")
    known = [row for row in reading.rows if not row["split"]]
    people = {row["subject"]: splits.Person(*(row[key] for key in keys)) for row in known}
    named = {label(name) for name in options.get("validation_patients") or ()}
    if options.get("limit") is None:
        strangers = sorted(named - {s for s, p in people.items() if p.group == groups.PATIENT})
        reading.notes += [f"validation_patients: {subject} is not a patient of this cohort" for subject in strangers]
    chosen = splits.assign(list(people.values()), options["split"], options["patient_split"], options["split_seed"], named)
    for row in known:
        row["split"] = chosen[row["subject"]]


def _check_modalities(root: Path, found: dict[str, list[Image]], modalities: Sequence[str]) -> None:
    there = sorted({image.modality for images in found.values() for image in images})
    for modality in modalities:
        if modality not in there:
            foreign = None if there else foreign_files(root)
            found_are = ", ".join(there) or "no NIfTI images at all" + (f"; {foreign}" if foreign else "")
            raise UserError(f"{root}: no subject has a {modality} image; found are {found_are}")


def _first_reasons(excluded: list[Row], shown: int = 3) -> str:
    reasons = "; ".join(row["reason"] for row in excluded[:shown])
    return reasons + (f"; and {len(excluded) - shown} more" if len(excluded) > shown else "")
