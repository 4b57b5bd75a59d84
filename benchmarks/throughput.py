"""Measure slices per second of the diffusion methods, by size and number format.

    python -m benchmarks.throughput [--device auto] [--threads 2] [--methods ddpm cddpm] [--sizes demo small] [--batch 2]

A training step consists of the same work as in the engine: noise, forward pass, backward pass, Adam. Inference is one
reconstruction.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from madad.configuration import cards
from madad.engine import devices
from madad.methods import registry

NARROW = {"encoder_depth": 18, "encoder_width": 16}
# image side, batch, hyper-parameters that differ from the card, where the method has them
SIZES = {
    "unit": (32, 16, {"base_channels": 16, "blocks_per_level": 1, "norm_groups": 8, **NARROW, "encoder_stages": 3}),
    "demo": (64, 16, {"base_channels": 16, "blocks_per_level": 1, "norm_groups": 8, **NARROW}),
    "small": (64, 16, {"base_channels": 32, "blocks_per_level": 1, **NARROW}),
    "small-96": (96, 16, {"base_channels": 32, "blocks_per_level": 1, **NARROW}),
    "paper": (96, 32, {}),
}
METHODS = ("ddpm", "pddpm", "mddpm", "cddpm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["unit", "demo", "small", "small-96"])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["ddpm"])
    parser.add_argument("--batch", type=int, default=0, help="slices per step, if the published number does not fit into memory")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = devices.pick(arguments.device)
    print(f"{device}, {arguments.threads} threads, torch {torch.__version__}")
    print(f"{'method':8}{'size':10}{'batch':>6} {'format':8}{'parameters':>12}{'step s':>9}{'train/s':>10}{'infer/s':>10}")
    for name in arguments.methods:
        for size in arguments.sizes:
            for number_format in (torch.float32, torch.bfloat16):
                measure(name, size, number_format, device, arguments)


def measure(name: str, size: str, number_format: torch.dtype, device: torch.device, arguments: argparse.Namespace) -> None:
    side, batch, changes = SIZES[size]
    batch, known = arguments.batch or batch, cards.load(name)["parameters"]
    resolved = cards.resolve(name, {key: value for key, value in changes.items() if key in known}, {}, None)
    options = {"base": name, "parameters": resolved["parameters"], "parts": {}}
    method = devices.move(registry.assemble(options, 0), device)
    optimiser = torch.optim.Adam(method.parameters(), lr=1e-4)
    image = torch.rand(batch, 1, side, side, device=device)
    data, generator = {"image": image, "brain": image > 0}, torch.Generator().manual_seed(0)
    narrow = torch.autocast(device.type, number_format, enabled=number_format != torch.float32)

    def train() -> None:
        with narrow:
            loss = method.training_loss(data, generator)["loss"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    @torch.inference_mode()
    def infer() -> None:
        with narrow:
            method.reconstruct(image, generator)

    step, passed = (best_time(action, device, arguments.repeats) for action in (train, infer))
    parameters = sum(weight.numel() for weight in method.parameters())
    word = str(number_format).removeprefix("torch.").replace("float32", "fp32").replace("bfloat16", "bf16")
    row = f"{name:8}{size:10}{batch:6} {word:8}{parameters:12,}{step:9.3f}{batch / step:10.2f}{batch / passed:10.2f}"
    print(row, flush=True)


def best_time(action: Callable[[], None], device: torch.device, repeats: int) -> float:
    """Return the shortest time of several runs, the one that other programs disturbed least."""
    action()
    times = []
    for _ in range(repeats):
        devices.synchronise(device)
        begun = time.perf_counter()
        action()
        devices.synchronise(device)
        times.append(time.perf_counter() - begun)
    return min(times)


if __name__ == "__main__":
    main()
