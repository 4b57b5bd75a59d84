"""Print the three dearest operators of a training step and of an inference of every method, as a table in Markdown.

    python -m benchmarks.operators [--preset quickstart] [--methods ddpm mad_ad] [--device auto]

Methods have the sizes of the preset; images are noise in an ellipse, of the size of the slices of the default run. A share is
that of an operator, without those that it calls, in the time of all operators.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from madad.configuration import settings
from madad.engine import devices
from madad.methods import registry
from madad.workflow.plan import Plan

SIDES = (64, 64)
DEAREST = 3
DEFAULT = ["dae", "ddpm", "pddpm", "mddpm", "cddpm", "mhd", "conddiff", "mad_ad", "kl_autoencoder"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="quickstart")
    parser.add_argument("--methods", nargs="+", default=DEFAULT)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    devices.keep_freed_memory()
    device = devices.pick(arguments.device)
    print("| method | work | ms | dearest operators |\n|---|---|---|---|")
    for name in arguments.methods:
        options = planned(name, arguments.preset)
        method = devices.move(registry.assemble(options, 0), device)
        for work, action in (("training step", training(method, options, device)), ("inference", inference(method, device))):
            if action is not None:
                print(f"| {name} | {work} | {' | '.join(dearest(action, device))} |", flush=True)


def planned(name: str, preset: str) -> dict:
    """Return the options of a method or of a part at the sizes of a preset."""
    user = "mad_ad" if name == "kl_autoencoder" else name
    study = {
        "cohorts": {"phantom": {"kind": "phantom"}},
        "train_on": ["phantom"],
        "test_on": ["phantom"],
        "modalities": ["FLAIR"],
    }
    return Plan.of(settings.resolve({"preset": preset, "methods": [user], **study})).entries[name]["options"]["FLAIR"]


def training(method: nn.Module, options: dict, device: torch.device) -> Callable[[], object] | None:
    """Return forward and backward pass of a batch; None for a method without weights to learn."""
    if not any(weight.requires_grad for weight in method.parameters()):
        return None
    image, brain = images(options["training"]["batch_size"], device)
    lesion = brain.clone()
    lesion[..., : SIDES[1] // 2] = False
    batch = {"image": image * ~lesion, "healthy": image, "brain": brain, "lesion": lesion, "map": lesion.float()}

    def step() -> None:
        loss = method.train().training_loss(batch, torch.Generator().manual_seed(0))["loss"]
        loss.backward()
        method.zero_grad()

    return step


def inference(method: nn.Module, device: torch.device) -> Callable[[], object] | None:
    """Return the map of a single slice; None for a part, which makes none."""
    if not hasattr(method, "anomaly_map"):
        return None
    image, brain = images(1, device)

    @torch.inference_mode()
    def apply() -> None:
        generator = torch.Generator().manual_seed(0)
        method.eval().anomaly_map(image, method.reconstruct(image, generator), brain[:, 0], generator)

    return apply


def images(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return images (B, 1, H, W) in [0, 1] and brains, an ellipse."""
    rows, columns = (torch.linspace(-1, 1, side) for side in SIDES)
    brain = (rows[:, None] ** 2 + columns**2 < 0.7).expand(count, 1, *SIDES)
    return (torch.rand(count, 1, *SIDES) * brain).to(device), brain.clone().to(device)


def dearest(action: Callable[[], object], device: torch.device) -> tuple[str, str]:
    """Return the time of all operators in milliseconds and the dearest of them with their shares."""
    action()
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with profile(activities=kinds) as profiled:
        action()
    spent = {row.key: _microseconds(row, device) for row in profiled.key_averages()}
    total = sum(spent.values())
    first = sorted(spent, key=lambda key: -spent[key])[:DEAREST]
    return f"{total / 1000:.0f}", ", ".join(f"`{key.removeprefix('aten::')}` {spent[key] / total:.0%}" for key in first)


def _microseconds(row, device: torch.device) -> float:
    return row.self_device_time_total if device.type == "cuda" else row.self_cpu_time_total


if __name__ == "__main__":
    main()
