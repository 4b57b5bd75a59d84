"""Preprocessing pipelines: published chains by name, and the problems between options."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from madad.configuration.schema import Options, merge, unknown
from madad.core import yaml_text
from madad.core.workflow_files import FOLDER

PRESETS = FOLDER / "presets" / "pipelines"
ICBM152 = "icbm152"
# The choice of `registration` for images that lie in one common space already.
UNREGISTERED = "none"
# Fewest slices of a volume.
FEWEST_SLICES = 8
# Templates that published chains use and that only their authors may distribute.
ELSEWHERE = {
    "sri24": "SRI24 is not shipped; download sri24_spm8.zip from https://www.nitrc.org/projects/sri24 and give the path of its "
    "templates/T1_brain.nii, or use icbm152",
}
# In-plane sides are multiples of this, so that U-Nets and patch sets can halve them four times.
IN_PLANE_MULTIPLE = 16
# A narrower field of view does not contain a whole slice of a brain.
LEAST_EXTENT_MM = 100.0


def names() -> list[str]:
    """Return the published chains, files of presets/pipelines."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def published(name: str) -> Options:
    """Return the options of a published chain."""
    return yaml_text.load((PRESETS / f"{name}.yaml").read_text())


def with_chains(pipelines: Options, wanted: Iterable[str | None]) -> Options:
    """Return the pipelines of a configuration with the published chains that cohorts name and that it does not define."""
    return {**pipelines, **{name: {"base": name} for name in wanted if name in names() and name not in pipelines}}


def lay(pipelines: Options, sizes: Options) -> Options:
    """Return every pipeline merged into what it is based on.

    Own keys win over the published chain it is based on, and that over the sizes of the preset, because a chain's grid is
    part of it.

    Args:
        pipelines: options by name, as in the configuration.
        sizes: options that the preset sets for every pipeline.
    """
    known = names()
    chains = {name: published(own["base"]) for name, own in pipelines.items() if own.get("base") in known}
    return {name: merge(merge(sizes, chains.get(name, {})), own) for name, own in pipelines.items()}


def suggest_skull_strip(cohorts: Options, own: Options, pipelines: Options) -> Options:
    """Return the cohorts, with the skull stripping of their pipeline if it sets one and they do not.

    Images that are stripped already (`none`) or supplied with masks (`given`) stay so whatever the pipeline sets.

    Args:
        cohorts: with the options of preset and kind.
        own: as in the configuration.
        pipelines: from `lay`.
    """
    chosen = {}
    for name, cohort in cohorts.items():
        wanted = pipelines.get(cohort.get("pipeline", "standard"), {}).get("skull_strip")
        silent = "skull_strip" not in own.get(name, {}) and cohort.get("skull_strip") not in ("none", "given")
        chosen[name] = {**cohort, "skull_strip": wanted} if wanted and silent else cohort
    return chosen


def problems(name: str, pipeline: Options) -> Iterator[str]:
    """Yield the problems of the complete options of a pipeline, one sentence each."""
    where = f"pipelines.{name}"
    if pipeline["base"] not in [None, *names()]:
        yield unknown(f"{where}.base", "published chain", pipeline["base"], names())
    yield from _template_problems(where, pipeline["template"], pipeline["template_brain"])
    yield from _grid_problems(where, pipeline)
    yield from _unregistered_problems(where, pipeline)
    times = pipeline["spacing_mm"] / (pipeline["denoise_at_mm"] or pipeline["spacing_mm"])
    if pipeline["denoise"] != "none" and (times < 1 or abs(times - round(times)) > 1e-6):
        yield (
            f"{where}.denoise_at_mm: {pipeline['denoise_at_mm']:g} mm does not divide spacing_mm ({pipeline['spacing_mm']:g} mm) "
            "into whole voxels; use a half or a third of it, or null"
        )


def _template_problems(where: str, template: str, brain: str | None) -> Iterator[str]:
    if template == ICBM152:
        if brain:
            yield f"{where}.template_brain: icbm152 has its own brain mask; leave template_brain out, or give template a file"
        return
    if template.lower() in ELSEWHERE:
        yield f"{where}.template: {ELSEWHERE[template.lower()]}"
        return
    for key, path in (("template", template), ("template_brain", brain)):
        if path and not str(path).endswith((".nii", ".nii.gz")):
            yield f"{where}.{key}: '{path}' is neither {ICBM152} nor a NIfTI file (*.nii, *.nii.gz)"
        elif path and not Path(path).is_file():
            yield f"{where}.{key}: there is no file '{path}'; correct the path or mount the disk"


def _unregistered_problems(where: str, pipeline: Options) -> Iterator[str]:
    if pipeline["registration"] != UNREGISTERED:
        return
    for key, usual in (("template", ICBM152), ("template_brain", None), ("denoise_at_mm", None)):
        if pipeline[key] != usual:
            yield f"{where}.{key}: with registration none images keep their own grid and nothing is carried; leave {key} out"


def _grid_problems(where: str, pipeline: Options) -> Iterator[str]:
    shape, spacing_mm = pipeline["shape"], pipeline["spacing_mm"]
    if not shape:
        return
    for side in sorted({side for side in shape[:2] if side % IN_PLANE_MULTIPLE}):
        below = side // IN_PLANE_MULTIPLE * IN_PLANE_MULTIPLE
        near = " or ".join(str(n) for n in (below, below + IN_PLANE_MULTIPLE) if n)
        yield f"{where}.shape: {side} is not a multiple of {IN_PLANE_MULTIPLE}, and networks halve slices; use {near}"
    if shape[2] < FEWEST_SLICES and pipeline["registration"] != UNREGISTERED:
        yield f"{where}.shape: {shape[2]} slices are no volume; use {FEWEST_SLICES} or more, or registration none for slices"
    if min(shape[:2]) * spacing_mm < LEAST_EXTENT_MM:
        extent = " x ".join(f"{side * spacing_mm:g}" for side in shape)
        yield f"{where}.shape: {shape} voxels of {spacing_mm:g} mm cover {extent} mm of a head; use more voxels, or null for all"
