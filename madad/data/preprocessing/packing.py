"""From the files of many images to one HDF5 pack per split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.io.hdf5 import MISSING, REFERENCE, Sample, write_pack
from madad.core.io.manifest import Row, image_name, read_table
from madad.core.io.volumes import Volume, grid_difference, load_image, load_mask
from madad.core.logs import progress, say, warn
from madad.data.preprocessing import quality_control
from madad.data.preprocessing.steps import intensity
from madad.data.template import native_template

TEMPLATE_MODALITY = "T1w"


def fit(tables: Sequence[Path], modality: str, options: dict) -> intensity.Model:
    """Learn the intensity model of a modality from the healthy training images of the given tables.

    Args:
        tables: tables of `quality_control.judge`.
        modality: sequence of the images.
        options: method, lower, upper.
    """
    ready, _ = select(tables, "train", modality)
    return fit_images(ready, modality, options)


def fit_images(rows: Iterable[Row], modality: str, options: dict) -> intensity.Model:
    """Learn the intensity model of a modality from the images of some rows.

    Histogram matching uses ICBM152 as the reference for T1w, which is its contrast, whatever the images are registered to, and
    the mean histogram of the images for every other modality.
    """
    reference = _template_intensities() if options["method"] == "histogram_matching" and modality == TEMPLATE_MODALITY else None
    return intensity.fit(options["method"], _pairs(rows), options["lower"], options["upper"], reference)


def pack(tables: Sequence[Path], split: str, modality: str, model: intensity.Model, out: Path, cohort: str) -> None:
    """Normalise and pack one split of one modality.

    Failed and excluded images are left out with a warning. A split without images gives an empty pack: a cohort of patients,
    for example, has no training split.

    Raises:
        UserError: the split has images, but none of them can be used, or they have different grids.
    """
    ready, others = select(tables, split, modality)
    for row in others:
        warn(f"{cohort}, {split}: {image_name(row)} {modality} is left out, {row['verdict']}: {row['verdict_reason']}")
    if others and not ready:
        failed = sum(row["verdict"] == "failed" for row in others)
        raise UserError(
            f"{cohort}: all {len(others)} {modality} images of the split {split} failed in preprocessing ({failed}) or are "
            f"excluded by the limits and lists of `quality` ({len(others) - failed}), the first because: "
            f"{others[0]['verdict_reason']}"
        )
    grid = load_image(ready[0]["image"]) if ready else Volume(np.zeros((0, 0, 0)), np.eye(4))
    samples = (_sample(row, model, grid) for row in progress(ready, f"packing {cohort} {split} {modality}"))
    count = write_pack(out, samples, affine=grid.affine, modality=modality, cohort=cohort, split=split)
    say(f"{out}: {count} images, {len(others)} left out")


def select(tables: Iterable[Path], split: str, modality: str) -> tuple[list[Row], list[Row]]:
    """Return the rows of a split and modality that can be used and those that cannot, in the order of their names.

    Flagged images can be used: a flag asks a person to look at the image and decides nothing.
    """
    rows = [row for table in tables for row in read_table(table) if row["split"] == split and row["modality"] == modality]
    rows.sort(key=image_name)
    return [row for row in rows if row["verdict"] in quality_control.USABLE], [
        row for row in rows if row["verdict"] not in quality_control.USABLE
    ]


def _sample(row: Row, model: intensity.Model, grid: Volume) -> Sample:
    image = load_image(row["image"])
    problem = grid_difference(image, grid)
    if problem:
        raise UserError(f"{row['image']}: not on the grid of the other images ({problem}); delete the file and run again")
    brain = load_mask(row["brain"], image, "brain mask").array
    lesion = _lesion(row, image)
    return Sample(
        name=image_name(row),
        group=row["group"],
        image=_slices(intensity.apply(model, image.array, brain, whole=True)),
        brain=_slices(brain > 0),
        lesion=_slices(lesion),
        covariates=_covariates(row, float(lesion.sum()) * image.voxel_ml),
    )


def _lesion(row: Row, image: Volume) -> np.ndarray:
    # A lesion that vanished on the template's grid has an empty file, which is no error here.
    if not row["lesion"] or float(row["lesion_ml"] or 0) == 0:
        return np.zeros(image.array.shape, dtype=bool)
    return load_mask(row["lesion"], image, "lesion mask").array > 0


def _covariates(row: Row, lesion_ml: float) -> dict[str, str | float | None]:
    texts = {key: row[key] for key in ("subject", "session", "sex", "site", "lesion_kind")}
    unmarked = {REFERENCE: MISSING} if row["group"] != "healthy" and not row["lesion"] else {}
    return {**texts, "age": float(row["age"]) if row["age"] else None, "lesion_ml": lesion_ml, **unmarked}


def _pairs(rows: Iterable[Row]) -> Iterator[intensity.Pair]:
    for row in rows:
        yield load_image(row["image"]).array, load_mask(row["brain"], name="brain mask").array


def _slices(array: np.ndarray) -> np.ndarray:
    """Transpose an array from (I, J, K) to (S, H, W)."""
    return np.ascontiguousarray(array.transpose(2, 1, 0))


def _template_intensities() -> np.ndarray:
    template = native_template()
    return template.t1w.array[template.brain.array > 0]
