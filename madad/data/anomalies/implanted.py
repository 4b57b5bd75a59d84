"""Semi-synthetic test sets: held-out healthy subjects, each unchanged and with implanted lesions of known extent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madad.core.errors import UserError
from madad.core.intensity_scale import seen
from madad.core.io.hdf5 import Pack, Sample, write_pack
from madad.core.io.manifest import write_table
from madad.core.logs import progress, warn
from madad.core.seeds import numpy_generator
from madad.data.anomalies.generator import describe_region
from madad.data.anomalies.insertion import Implant, Recipe, implant
from madad.data.anomalies.lesion_masks import Lesion, main_piece
from madad.data.anomalies.mask_split import divided
from madad.data.anomalies.sites import pack_sign, site_weights, tissue_maps, without_fluid
from madad.data.template import to_mni

# Columns of the table: texts and numbers.
TEXTS = ("name", "subject", "site", "source", "source_digest")
NUMBERS = (
    "volume_ml",
    "measured_volume_ml",
    "contrast",
    "measured_contrast",
    "seen_contrast",
    "saturated",
    "sign",
    "mirrored",
    "time",
    "x_mm",
    "y_mm",
    "z_mm",
)


@dataclass(frozen=True)
class Plan:
    """Everything that the lesions of a test set share.

    Attributes:
        grey: probability of grey matter, (S, H, W).
        white: probability of white matter, (S, H, W).
        sites: weight of every voxel as a centre, by site.
        lesions: real masks.
        affine: (4, 4), index (I, J, K) of the pack to MNI mm.
        to_mni: (4, 4), world mm of the pack to MNI mm.
        options: see `implant_pack`.
    """

    grey: np.ndarray
    white: np.ndarray
    sites: dict[str, np.ndarray]
    lesions: Sequence[Lesion]
    affine: np.ndarray
    to_mni: np.ndarray
    options: dict


def implant_pack(source: Path, out: Path, table: Path, options: dict) -> None:
    """Write the semi-synthetic version of a pack.

    Args:
        source: pack of a cohort's validation or test split; its healthy subjects are used.
        out: pack to write: every healthy subject, and `per_subject` lesioned copies of it.
        table: table of the implanted lesions, one row per lesion.
        options: `volumes_ml`, `contrasts`, `sign`, `sites`, `per_subject`, `seed`, `generator` (the options of
            `generator.draw_map`, `lesion_masks` with `test_masks` and `mask_seed`, and `boundary`), and `grid` (options of
            `madad.data.template.target`).

    Raises:
        UserError: the pack has no healthy subject, or the folder of lesion masks cannot be used.
    """
    rows: list[dict[str, str]] = []
    with Pack(source) as pack:
        if not pack.healthy():
            raise UserError(
                f"{source}: no healthy subject in the {pack.split} split of '{pack.cohort}' to implant lesions into; "
                f"take '{pack.cohort}-implanted' out of test_on or give the split healthy subjects (cohorts.{pack.cohort}.split)"
            )
        folder = options["generator"]["lesion_masks"]
        lesions = [main_piece(lesion) for lesion in divided(folder, options["generator"])[1]] if folder else []
        placement = to_mni(options["grid"])
        affine = placement @ pack.affine
        maps = tissue_maps(affine, pack.shape, str(source))
        plan = Plan(*maps, site_weights(affine, pack.shape), lesions, affine, placement, options)
        write_pack(
            out,
            _samples(pack, plan, rows),
            affine=pack.affine,
            modality=pack.modality,
            cohort=f"{pack.cohort}-implanted",
            split=pack.split,
        )
    write_table(table, rows, (*TEXTS, *NUMBERS))


def recipes(options: dict, signs: list[int], count: int, generator: np.random.Generator) -> list[Recipe]:
    """Draw `count` recipes in which every combination of volume, contrast, sign and site appears equally often, or once more."""
    product = itertools.product(options["volumes_ml"], options["contrasts"], signs, options["sites"])
    grid = [Recipe(*values) for values in product]
    drawn: list[Recipe] = []
    while len(drawn) < count:
        drawn += [grid[index] for index in generator.permutation(len(grid))]
    return drawn[:count]


def _signs(pack: Pack, plan: Plan) -> list[int]:
    """Return the signs of the recipes; "auto" is decided by the images."""
    known = {"brighter": [1], "darker": [-1], "both": [1, -1]}
    return known.get(plan.options["sign"]) or [pack_sign(pack, plan.to_mni)]


def _samples(pack: Pack, plan: Plan, rows: list[dict[str, str]]) -> Iterator[Sample]:
    options, healthy = plan.options, pack.healthy()
    copies, seed = options["per_subject"], options["seed"]
    generator = numpy_generator(seed, "recipes", pack.cohort, pack.split)
    wanted = recipes(options, _signs(pack, plan), len(healthy) * copies, generator)
    for position, index in enumerate(progress(healthy, f"implanting lesions ({pack.split})")):
        sample = pack.sample(index)
        yield sample
        region = describe_region(sample.brain, pack.spacing_mm[0], options["generator"]["boundary"], plan.affine)
        tissue = without_fluid(seen(sample.image), sample.brain, plan.grey, plan.white)
        for copy in range(copies):
            recipe = wanted[position * copies + copy]
            generator = numpy_generator(seed, "implant", pack.cohort, pack.split, sample.name, copy)
            site = plan.sites[recipe.site]
            made = implant(sample.image, tissue, region, site, recipe, plan.lesions, options["generator"], generator)
            if made is None:
                warn(f"{sample.name}: no room in the brain for a lesion of {recipe.volume_ml:g} ml ({recipe.site}); left out")
                continue
            row = _row(f"{sample.name}_lesion-{copy + 1:02d}", sample, recipe, made, pack)
            rows.append(row)
            yield Sample(
                row["name"], "implanted", made.image, sample.brain, made.lesion, {**sample.covariates, **_covariates(row)}
            )


def _row(name: str, sample: Sample, recipe: Recipe, made: Implant, pack: Pack) -> dict[str, str]:
    x, y, z = (pack.affine @ [*made.centre[::-1], 1.0])[:3]
    voxel_ml = float(np.prod(pack.spacing_mm)) / 1000
    return {
        "name": name,
        "subject": str(sample.covariates.get("subject", sample.name)),
        "site": recipe.site,
        "source": made.source,
        "source_digest": made.digest,
        "volume_ml": f"{recipe.volume_ml:g}",
        "measured_volume_ml": f"{made.lesion.sum() * voxel_ml:.4g}",
        "contrast": f"{recipe.contrast:g}",
        "measured_contrast": f"{made.measured_contrast:.4g}",
        "seen_contrast": f"{made.seen_contrast:.4g}",
        "saturated": f"{made.saturated:.4g}",
        "sign": f"{recipe.sign:+d}",
        "mirrored": f"{made.mirrored:d}",
        "time": f"{made.time:.3f}",
        **{f"{axis}_mm": f"{value:.1f}" for axis, value in zip("xyz", (x, y, z), strict=True)},
    }


def _covariates(row: dict[str, str]) -> dict[str, str | float]:
    numbers = {f"implant_{key}": float(row[key]) for key in NUMBERS}
    texts = {f"implant_{key}": row[key] for key in TEXTS[2:]}
    return {**numbers, **texts, "lesion_kind": "implanted", "lesion_ml": float(row["measured_volume_ml"])}
