"""Measure how much faster a network is with the channels last than with the channels first, by size.

    python -m benchmarks.layouts [--sizes demo small] [--pairs 5] [--device auto]

`ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2` before it shows a CPU without AVX-512. Both layouts take turns; the table has
the median of the pairs' ratios of CPU time (of elapsed time on a GPU), and whether the outputs are the same bit for bit.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from benchmarks.throughput import SIZES
from madad.configuration import cards
from madad.engine import devices
from madad.methods import registry

LAYOUTS = {"first": torch.contiguous_format, "last": torch.channels_last}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--method", default="ddpm")
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["unit", "demo", "small", "small-96"])
    parser.add_argument("--pairs", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = devices.pick(arguments.device)
    print(f"{device}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}")
    print(f"{'size':10}{'train first / last':>20}{'infer first / last':>20}  outputs")
    for size in arguments.sizes:
        print(row(arguments.method, size, device, arguments.pairs), flush=True)


def row(name: str, size: str, device: torch.device, pairs: int) -> str:
    """Return one row of the table."""
    side, batch, changes = SIZES[size]
    known = cards.load(name)["parameters"]
    resolved = cards.resolve(name, {key: value for key, value in changes.items() if key in known}, {}, None)
    image = torch.rand(min(batch, 8), 1, side, side, device=device)
    methods = {}
    for layout, memory in LAYOUTS.items():
        method = registry.assemble({"base": name, "parameters": resolved["parameters"], "parts": {}}, 0)
        methods[layout] = _awake(method).to(device=device, memory_format=memory)
    ratios = [
        ratio({layout: work(method, image) for layout, method in methods.items()}, device, pairs)
        for work in (_training, _inference)
    ]
    first, last = (_inference(method, image)() for method in methods.values())
    same = "equal" if torch.equal(first, last) else f"differ by {float((first - last).abs().max()):.1e}"
    return f"{size:10}{ratios[0]:20.2f}{ratios[1]:20.2f}  {same}"


def ratio(actions: dict[str, Callable[[], object]], device: torch.device, pairs: int) -> float:
    """Return the median ratio of the time of the first of two actions to that of the second, in turns."""
    first, second = actions.values()
    for action in (first, second):
        action()
    return statistics.median(seconds(first, device) / seconds(second, device) for _ in range(pairs))


def seconds(action: Callable[[], object], device: torch.device) -> float:
    """Return the time of an action: of this process on a CPU, elapsed on a GPU."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    devices.synchronise(device)
    begun = clock()
    action()
    devices.synchronise(device)
    return clock() - begun


@torch.no_grad()
def _awake(method: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for weight in method.parameters():
        weight.normal_(std=0.05)
    return method


def _training(method: nn.Module, image: torch.Tensor) -> Callable[[], object]:
    def step() -> None:
        method.training_loss({"image": image, "brain": image > 0}, torch.Generator().manual_seed(0))["loss"].backward()
        method.zero_grad()

    return step


def _inference(method: nn.Module, image: torch.Tensor) -> Callable[[], torch.Tensor]:
    return torch.inference_mode()(lambda: method.reconstruct(image, torch.Generator().manual_seed(0)))


if __name__ == "__main__":
    main()
