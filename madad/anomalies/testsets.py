"""Semi-synthetic test sets: held-out healthy subjects, each as it is and with implanted lesions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from madad.anomalies.insertion import Implant, Recipe, implant
from madad.errors import UserError
from madad.logs import progress, warn
from madad.manifest import write_table
from madad.seeds import numpy_generator
from madad.stores import Pack, Sample, write_pack
from madad.template import template_on_grid

# Lesions are dark where the sequence shows fluid or gliosis dark.
DARK_LESIONS = {"T1w", "inplaneT1"}
COLUMNS = ("name", "subject", "volume_ml", "measured_volume_ml", "contrast", "measured_contrast", "sign", "x_mm", "y_mm", "z_mm")


def implant_pack(source: Path, out: Path, table: Path, options: dict) -> None:
    """Make the semi-synthetic version of a pack.

    Args:
        source: pack of a cohort's validation or test split; its healthy subjects are used.
        out: pack to write: every healthy subject, and `per_subject` lesioned copies of it.
        table: what was implanted, one row a lesion.
        options: `volumes_ml`, `contrasts`, `sign`, `per_subject`, `seed`.

    Raises:
        UserError: the pack has no healthy subject.
    """
    rows: list[dict[str, str]] = []
    with Pack(source) as pack:
        if not pack.healthy():
            raise UserError(
                f"{source}: no healthy subject in the {pack.split} split of '{pack.cohort}' to implant lesions into; "
                f"take '{pack.cohort}-implanted' out of test_on or give the split healthy subjects (cohorts.{pack.cohort}.split)"
            )
        write_pack(
            out,
            _samples(pack, options, rows),
            affine=pack.affine,
            modality=pack.modality,
            cohort=f"{pack.cohort}-implanted",
            split=pack.split,
        )
    write_table(table, rows, COLUMNS)


def recipes(options: dict, modality: str, count: int, generator: np.random.Generator) -> list[Recipe]:
    """`count` recipes in which every combination of volume, contrast and sign appears equally often, give or take one."""
    grid = [
        Recipe(*values) for values in itertools.product(options["volumes_ml"], options["contrasts"], _signs(options, modality))
    ]
    drawn: list[Recipe] = []
    while len(drawn) < count:
        drawn += [grid[index] for index in generator.permutation(len(grid))]
    return drawn[:count]


def _signs(options: dict, modality: str) -> list[int]:
    auto = [-1] if modality in DARK_LESIONS else [1]
    return {"auto": auto, "brighter": [1], "darker": [-1], "both": [1, -1]}[options["sign"]]


def _samples(pack: Pack, options: dict, rows: list[dict[str, str]]) -> Iterator[Sample]:
    template = template_on_grid(pack.spacing_mm[0])
    tissue = (template.grey.array + template.white.array).transpose(2, 1, 0)
    healthy, copies = pack.healthy(), options["per_subject"]
    plan = recipes(
        options, pack.modality, len(healthy) * copies, numpy_generator(options["seed"], "recipes", pack.cohort, pack.split)
    )
    for position, index in enumerate(progress(healthy, f"implanting lesions ({pack.split})")):
        sample = pack.sample(index)
        yield sample
        for copy in range(copies):
            recipe = plan[position * copies + copy]
            generator = numpy_generator(options["seed"], "implant", pack.cohort, pack.split, sample.name, copy)
            made = implant(sample.image, sample.brain, tissue, pack.spacing_mm, recipe, generator)
            if made is None:
                warn(f"{sample.name}: no room in the brain for a lesion of {recipe.volume_ml:g} ml; left out")
                continue
            name = f"{sample.name}_lesion-{copy + 1:02d}"
            row = _row(name, sample, recipe, made, pack)
            rows.append(row)
            yield Sample(name, "implanted", made.image, sample.brain, made.lesion, {**sample.covariates, **_covariates(row)})


def _row(name: str, sample: Sample, recipe: Recipe, made: Implant, pack: Pack) -> dict[str, str]:
    x, y, z = (pack.affine @ [*made.centre[::-1], 1.0])[:3]
    voxel_ml = float(np.prod(pack.spacing_mm)) / 1000
    return {
        "name": name,
        "subject": str(sample.covariates.get("subject", sample.name)),
        "volume_ml": f"{recipe.volume_ml:g}",
        "measured_volume_ml": f"{made.lesion.sum() * voxel_ml:.4g}",
        "contrast": f"{recipe.contrast:g}",
        "measured_contrast": f"{made.measured_contrast:.4g}",
        "sign": f"{recipe.sign:+d}",
        **{f"{axis}_mm": f"{value:.1f}" for axis, value in zip("xyz", (x, y, z), strict=True)},
    }


def _covariates(row: dict[str, str]) -> dict[str, str | float]:
    numbers = {f"implant_{key}": float(row[key]) for key in COLUMNS[2:]}
    return {**numbers, "lesion_kind": "implanted", "lesion_ml": float(row["measured_volume_ml"])}
