"""What a person wants to know of a model file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from madad.core.io import model_archive


def describe(about: dict[str, Any]) -> str:
    """Return what a person wants to know of a model, some lines of text."""
    data = about["training_data"][0]
    lines = [
        f"{about['name']}: {about['title']} ({about['base']}, doi:{about['doi'] or 'none'})",
        f"trained on: {data['train']['subjects']} healthy subjects of {data['name']} ({data['title']}; {data['licence']}), "
        f"{about['modality']}, {about['weights']['steps']} steps",
        *(_of_images(about) if "grid" in about else _of_making(about)),
    ]
    for testset, found in about["metrics"]["validation"].items():
        lines.append(f"validation, {testset}: " + ", ".join(f"{key} {value:.3g}" for key, value in found.items()))
    lines += [f"code: commit {about['code'].get('commit', 'unknown')}", f"licence: {about['licence']}", about["intended_use"]]
    return "\n".join(lines)


def listing(applied: Iterable[Path], started: Iterable[Path]) -> str:
    """Return one line for each of the models that come with madad.

    Args:
        applied: files of models that can be applied to scans.
        started: files of weights for `initial_weights: bundled`.
    """
    lines = ["for scans (madad predict --model NAME):"]
    for path in applied:
        about = model_archive.read_about(path)
        data = about["training_data"][0]
        lines.append(
            f"{path.stem}: {about['title']}, {about['modality']}, {about['grid']['spacing_mm']:g} mm, fitted on "
            f"{data['train']['subjects']} subjects of {data['name']} ({about['licence']})"
        )
    lines.append("to start trainings from (initial_weights: bundled):")
    for path in started:
        about = model_archive.read_start(path)
        data = about["training_data"][0]
        lines.append(
            f"{path.name}: {about['base']}, {about['modality']}, {about['weights']['steps']} steps on {data['name']} "
            f"({data['licence']}) in {_hours(about['made'])}, {about['date']}"
        )
    return "\n".join(lines)


def _of_images(about: dict[str, Any]) -> Iterator[str]:
    cut, grid, steps = about["threshold"], about["grid"], about["preprocessing"]
    yield f"images: {' x '.join(map(str, grid['voxels']))} voxels of {grid['spacing_mm']:g} mm"
    yield (
        f"preprocessing: skull_strip {steps['skull_strip']}, bias_field {steps['bias_field']}, registration "
        f"{steps['registration']} to {grid['template']}, intensities {about['intensity_model']['method']}"
    )
    yield f"threshold: {cut['value']:.4g} ({cut['title']}: {cut['meaning']}; {cut['testset']})" if cut else "threshold: none"


def _of_making(about: dict[str, Any]) -> Iterator[str]:
    made, last = about["made"], about["made"]["losses"].get("last", {})
    yield f"made: preset {made['preset']}, {_hours(made)} on {made['device']}, {about['date']}"
    if last:
        best = about["metrics"]["best_validation_loss"]
        yield f"losses: {last['loss']:.4g} at the end, validation {'none' if best is None else f'{best:.4g}'} at the best step"


def _hours(made: dict[str, Any]) -> str:
    return f"{made['cpu_hours']:.2f} CPU hours" if made["cpu_hours"] is not None else f"{made['hours']:.2f} hours"
