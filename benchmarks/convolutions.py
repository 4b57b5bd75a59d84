"""Measure which share of a training step the convolutions take, in madad's U-Net and in MONAI's of equal channels.

    python -m benchmarks.convolutions [--sizes demo small] [--steps 3]

Every operator of a step is timed by the CPU time of the process, on one thread, which other programs disturb least. Both networks
have the same convolutions: where ours took as long as MONAI's and all else took no time, the ratio of the steps would be the
`limit`, MONAI's step over its convolutions.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.peer_tasks import SIZES, network_task

KINDS = {
    "convolution": ("convolution",),
    "its backward": ("convolution_backward",),
    "group norm": ("native_group_norm", "native_group_norm_backward"),
    "SiLU": ("silu", "silu_backward"),
}
OTHERS = "others"


class Clock(TorchDispatchMode):
    """Add up the CPU time (s) of operators by kind."""

    def __init__(self) -> None:
        super().__init__()
        self.spent: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """Run an operator and add its time."""
        begun = time.process_time()
        result = func(*args, **(kwargs or {}))
        self.spent[kind_of(str(func).removeprefix("aten.").split(".")[0])] += time.process_time() - begun
        return result


def kind_of(operator: str) -> str:
    return next((kind for kind, operators in KINDS.items() if operator in operators), OTHERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{torch.backends.cpu.get_cpu_capability()}, one thread, torch {torch.__version__}; seconds of CPU a step")
    print(f"{'size':8}{'network':10}" + "".join(f"{kind:>14}" for kind in (*KINDS, OTHERS, "sum")) + f"{'share':>8}{'limit':>8}")
    for size in arguments.sizes:
        for side, spent in measured(size, arguments.steps).items():
            print(row(size, side, spent), flush=True)


def measured(size: str, steps: int) -> dict[str, dict[str, float]]:
    """Return the median seconds of operators by kind in a step of either network; both take turns."""
    actions = {side: network_task("train", side, size, torch.device("cpu")) for side in ("madad", "MONAI")}
    found: dict[str, list[Counter[str]]] = {side: [] for side in actions}
    for number in range(steps + 1):
        for side, action in actions.items():
            with Clock() as clock:
                action()
            if number:  # the first step prepares what the others use
                found[side].append(clock.spent)
    return {
        side: {kind: statistics.median(each[kind] for each in rounds) for kind in (*KINDS, OTHERS)}
        for side, rounds in found.items()
    }


def row(size: str, side: str, spent: dict[str, float]) -> str:
    """Return one row of the table."""
    total, convolutions = sum(spent.values()), spent["convolution"] + spent["its backward"]
    times = "".join(f"{seconds:14.3f}" for seconds in (*spent.values(), total))
    return f"{size:8}{side:10}{times}{convolutions / total:8.0%}{total / convolutions:8.2f}"


if __name__ == "__main__":
    main()
