"""Apply a model to scans and write a BIDS data set of derivatives: maps, masks, scores and pictures in each scan's own space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from madad.core.errors import SubjectError, UserError
from madad.core.io.manifest import Row, write_table
from madad.core.logs import progress, say, warn
from madad.core.provenance import complete, write_json
from madad.data import template
from madad.data.preprocessing.steps import registration
from madad.detection import overlay_picture, scan_finding
from madad.detection.detector import Detector, cleaned
from madad.detection.result import Result
from madad.detection.scan_finding import Scan
from madad.reporting.page import scan_page

BIDS_VERSION = "1.10.0"
# Names that the standard does not know; with a slash behind it, the validator would object to the folder itself.
IGNORED = "*_anomalymap.*\n*_scores.json\n*_xfm.*\nfigures\npredictions.tsv\n"
COLUMNS = ("scan", "source", "status", "reason", "flags")


def predict(
    detector: Detector,
    scans: Sequence[Scan],
    out: Path,
    *,
    skull_strip: str = "auto",
    brain: Path | None = None,
    force: bool = False,
) -> None:
    """Write the results of all scans, and `predictions.tsv` with a row for each; one bad scan stops no other.

    Args:
        detector: from `madad.detection.detector.load`.
        scans: from `madad.detection.scan_finding.find`.
        out: folder of the data set of derivatives.
        skull_strip: see `madad.detection.preparation.prepare`.
        brain: brain mask of the scan, if there is only one.
        force: whether scans outside what the model has seen are flagged instead of refused.

    Raises:
        UserError: no scan could be used, or a brain mask is given for several.
    """
    if brain is not None and len(scans) != 1:
        raise UserError(f"--brain: {brain} is one mask for {len(scans)} scans; predict that scan alone")
    say(detector.about["intended_use"])
    _describe(out, detector)
    rows: list[Row] = []
    for scan in progress(scans, "predicting"):
        rows.append(_row(detector, scan, out, {"skull_strip": skull_strip, "brain": brain, "force": force}))
    scored = list(dict.fromkeys(key for row in rows for key in row if key not in COLUMNS))
    write_table(out / "predictions.tsv", rows, (*COLUMNS, *scored))
    failed = [row for row in rows if row["status"] != "ok"]
    say(f"{out}: {len(rows) - len(failed)} of {len(rows)} scans, {sum(bool(row['flags']) for row in rows)} flagged")
    if len(failed) == len(rows):
        raise UserError(f"{out}: no scan could be used; predictions.tsv says why")


def _row(detector: Detector, scan: Scan, out: Path, options: dict[str, Any]) -> Row:
    row = {"scan": scan.stem, "source": scan.source, "status": "ok", "reason": "", "flags": ""}
    try:
        result = detector(scan.path, modality=scan_finding.suffix_of(scan.path), **options)
    except SubjectError as error:
        warn(str(error) if str(scan.path) in str(error) else f"{scan.path}: {error}")
        return {**row, "status": "refused", "reason": " ".join(str(error).split())}
    for flag in result.flags:
        warn(f"{scan.path}: {flag}")
    write(result, scan, out, detector.about)
    return {**row, "flags": "; ".join(result.flags), **{key: f"{value:.6g}" for key, value in result.scores.items()}}


def write(result: Result, scan: Scan, out: Path, about: dict[str, Any]) -> None:
    """Write the files of one scan.

    Args:
        result: of the detector.
        scan: where it came from.
        out: folder of the data set.
        about: the model's description.
    """
    label = "".join(filter(str.isalnum, about["name"]))
    modality = about["modality"]
    folder, native = out / scan.folder / "anat", result.native
    start = f"{scan.stem}_space-{modality}_desc-"
    images = {
        f"{start}{label}_anomalymap": (native.map, "Anomaly map, larger where more abnormal"),
        f"{start}{label}_mask": (native.mask, "Where the map lies above the threshold"),
        f"{start}{label}Healthy_{modality}": (native.reconstruction, "The scan as the model expects a healthy one, in [0, 1]"),
        f"{start}brain_mask": (native.brain, "Brain mask"),
    }
    for name, (image, meaning) in images.items():
        if image is not None:
            _save(image, folder / f"{name}.nii.gz")
            write_json(folder / f"{name}.json", _sidecar(meaning, name, scan, about))
    space = template.space(about["grid"])
    with complete(folder / f"{scan.stem}_from-{modality}_to-{space}_mode-image_xfm.txt") as partial:
        registration.write_transform(partial, result.prepared.to_scan)
    write_json(folder / f"{scan.stem}_desc-{label}_scores.json", _scores(result, scan, about))
    figure = out / f"sub-{scan.entities['sub']}" / "figures" / f"{scan.stem}_desc-{label}_overlay.png"
    overlay_picture.draw(figure, result, f"{scan.stem}, {about['name']}: {about['intended_use']}")
    _write_page(result, scan, figure.with_name(f"{scan.stem}_desc-{label}_viewer.html"), about)


def _write_page(result: Result, scan: Scan, path: Path, about: dict[str, Any]) -> None:
    """Write the page in which a person moves through the scan, in template space as the model saw it."""
    own, cut = result.volumes, result.threshold
    image, brain, raw = (np.ascontiguousarray(one.array.transpose(2, 1, 0)) for one in (own.image, own.brain, own.map))
    scored, inside = cleaned(raw, brain > 0, about["postprocessing"])
    scan_page.write(
        scan_page.Scan(scan.stem, image, inside, scored, own.image.spacing_mm[::-1]),
        path,
        method=about["name"],
        threshold=(cut["title"], cut["value"]) if cut else None,
        smallest=int(about["postprocessing"]["min_component"]),
        note=f"{about['title']}: {about['intended_use']}.",
    )


def _save(image: nib.Nifti1Image, path: Path) -> None:
    with complete(path) as partial:
        nib.save(image, partial)


def _sidecar(meaning: str, name: str, scan: Scan, about: dict[str, Any]) -> dict[str, Any]:
    known = {"Description": meaning, "Sources": [scan.source], "SpatialReference": scan.source, "SkullStripped": True}
    if name.endswith("_mask"):
        known |= {"Type": "Brain" if "desc-brain" in name else "Lesion"}
        known.pop("SkullStripped")
    if name.endswith("_mask") and "desc-brain" not in name:
        known["Threshold"] = about["threshold"]
    return known


def _scores(result: Result, scan: Scan, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "scan": scan.source,
        "model": {key: about[key] for key in ("name", "base", "title", "modality", "licence")}
        | {"sha256": about["weights"]["sha256"]},
        "scores": {key: value if math.isfinite(value) else None for key, value in result.scores.items()},
        "threshold": result.threshold,
        "findings": result.findings,
        "flags": result.flags,
        "skull_strip": result.prepared.skull_strip,
        "measures": {
            key: value for key, value in result.prepared.measures.items() if value and key not in ("status", "modality")
        },
        "seconds": round(result.seconds, 2),
        "intended_use": about["intended_use"],
    }


def _describe(out: Path, detector: Detector) -> None:
    about = detector.about
    try:
        version = metadata.version("madad")
    except metadata.PackageNotFoundError:
        version = "unknown"
    write_json(
        out / "dataset_description.json",
        {
            "Name": f"Anomaly maps by {about['name']} ({about['title']})",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "License": about["licence"],
            "GeneratedBy": [{"Name": "madad", "Version": version, "Description": f"{about['base']}: {about['intended_use']}"}],
        },
    )
    for name, text in ((".bidsignore", IGNORED), ("README", f"Anomaly maps made by madad. {about['intended_use']}.\n")):
        with complete(out / name) as partial:
            partial.write_text(text)
