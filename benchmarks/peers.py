"""Compare the speed of madad with that of its peers in one run, and print a table of ratios.

    python -m benchmarks.peers [--device auto] [--threads 2] [--pairs 5] [--only network scoring preprocessing]

The U-Net of madad and `DiffusionModelUNet` of MONAI (extra `benchmarks`) with equal channels do a training step (forward,
backward, Adam) and a chain of ten DDIM steps; scores are counted, or sorted by scikit-learn with thresholds one by one; a head
gets its bias field and its affine registration by madad, or by ANTs as its documentation calls it. Each side runs in a process of
its own as its users run it, and both take turns. A ratio is the median over pairs of the peer's time divided by ours: of CPU time
of the process on a CPU, of elapsed time on a GPU.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

from benchmarks import peer_tasks

SIDES = ("madad", "peer")
TASKS = {
    "network": ("train demo", "sample demo", "train small", "sample small"),
    "scoring": ("score volume", "components"),
    "preprocessing": ("bias field", "registration"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=TASKS, default=list(TASKS))
    arguments = parser.parse_args()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    print(f"{arguments.device}, {arguments.threads} threads, torch {torch.__version__}, load {load}")
    print(f"{'task':16}{'madad s':>10}{'peer s':>10}{'ratio':>8}{'range':>14}   of madad, and of the peer")
    for group in arguments.only:
        for task in TASKS[group]:
            print(compared(task, arguments), flush=True)


def compared(task: str, arguments: argparse.Namespace) -> str:
    """Return one row of the table."""
    with worker(task, SIDES[0], arguments) as ours, worker(task, SIDES[1], arguments) as theirs:
        pairs = [(ask(ours, "run"), ask(theirs, "run")) for _ in range(arguments.pairs)]
        facts = [ask(side, "facts") for side in (ours, theirs)]
    ratios = sorted(theirs / ours for ours, theirs in pairs)
    mine, others = (statistics.median(column) for column in zip(*pairs, strict=True))
    notes = " | ".join(peer_tasks.in_words(fact, spent) for fact, spent in zip(facts, (mine, others), strict=True))
    span = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
    return f"{task:16}{mine:10.3f}{others:10.3f}{statistics.median(ratios):8.2f}{span:>14}   {notes}"


@contextmanager
def worker(task: str, side: str, arguments: argparse.Namespace) -> Iterator[Connection]:
    """Yield a connection to a process that has prepared a task and done it once."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve, args=(there, task, side, arguments.device, arguments.threads), daemon=True)
    process.start()
    there.close()  # so that the end of the process ends the connection
    here.recv()
    try:
        yield here
    finally:
        here.send("end")
        process.join()


def ask(connection: Connection, what: str) -> Any:
    """Send a request and return the answer."""
    connection.send(what)
    return connection.recv()


def serve(connection: Connection, task: str, side: str, device: str, threads: int) -> None:
    """Do a task whenever it is asked for."""
    prepared = peer_tasks.Prepared(task, side, device, threads)
    connection.send(prepared.seconds())
    while (request := connection.recv()) != "end":
        connection.send(prepared.seconds() if request == "run" else prepared.facts())


if __name__ == "__main__":
    main()
