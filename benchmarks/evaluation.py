"""Measure time and memory of the evaluation, and compare counting with sorting.

    python -m benchmarks.evaluation [--volumes 60] [--workers 2] [--shape 50 96 96] [--folder DIR]

The volumes contain noise and lesions in an ellipsoid of the size of a brain; maps and reconstructions are stored as in the
pipeline. One in ten volumes belongs to the validation split, and one in three is healthy. Everything is scored: all
protocols, lesions, surfaces, FROC, single steps of post-processing and a published protocol. The naive way computes AUPRC and
AUROC with scikit-learn, and the Dice of 100 thresholds one by one. Our way computes both metrics, and the Dice of all 65,536
thresholds, from counts.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.core.seeds import numpy_generator
from madad.evaluation.metrics.ordinal_scores import Tally, count, to_ordinals
from madad.evaluation.metrics.voxel_metrics import auroc, average_precision, dice_curve
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results.long_table import IDENTITY

OPTIONS = {"erosion": 0, "median": 0, "min_component": 0, "published": "behrendt"}
NAMES = dict.fromkeys(IDENTITY, "benchmark")
NAIVE_THRESHOLDS = 100
NAIVE_VOLUMES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shape", type=int, nargs=3, default=[50, 96, 96], help="slices, rows, columns")
    parser.add_argument("--folder", help="where the volumes are written; a temporary folder by default")
    arguments = parser.parse_args()
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    shape = tuple(arguments.shape)
    print(f"{arguments.volumes} volumes of {shape}, {arguments.workers} workers, {os.cpu_count()} cores, load {load}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        maps, packs = write(Path(folder), arguments.volumes, shape)
        before = used_seconds()
        begun = time.perf_counter()
        with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
            evaluate(maps, packs, OPTIONS, NAMES, Path(folder) / "metrics.tsv", workers=arguments.workers)
        wall, spent = time.perf_counter() - begun, used_seconds() - before
        table = (Path(folder) / "metrics.tsv").stat().st_size
    scale = 1000 / arguments.volumes
    print(f"evaluation        {scale * wall:8.1f} s elapsed and {scale * spent:.1f} s of CPU for 1,000 volumes")
    print(f"peak memory       {peak_mb(resource.RUSAGE_SELF):8.0f} MB, largest worker {peak_mb(resource.RUSAGE_CHILDREN):.0f} MB")
    print(f"table             {scale * table / 2**20:8.1f} MB for 1,000 volumes")
    compare(shape)


def head(shape: tuple[int, int, int]) -> np.ndarray:
    """Return a brain mask with 28 % of the voxels, a share that is usual for brains."""
    axes = np.indices(shape) - (np.array(shape)[:, None, None, None] - 1) / 2
    half = np.array(shape)[:, None, None, None] * np.array([0.47, 0.42, 0.34])[:, None, None, None]
    return ((axes / half) ** 2).sum(axis=0) < 1


def sample(split: str, number: int, brain: np.ndarray) -> tuple[Sample, Prediction]:
    """Return a sample, and the prediction of a mediocre method for it."""
    generator = numpy_generator("evaluation benchmark", split, number)
    texture, noise = (ndimage.gaussian_filter(generator.standard_normal(brain.shape), 1) for _ in range(2))
    lesion = np.zeros_like(brain)
    if number % 3:
        inner = np.argwhere(brain)
        for centre in inner[generator.integers(len(inner), size=generator.integers(1, 4))]:
            distance = ((np.indices(brain.shape) - centre[:, None, None, None]) ** 2).sum(axis=0)
            lesion |= (distance < generator.uniform(2, 9) ** 2) & brain
    image = np.where(brain, np.clip(0.5 + 0.2 * texture + 0.1 * lesion, 0, 1), 0).astype(np.float32)
    scores = np.where(brain, 0.2 * np.abs(noise) + 0.08 * ndimage.gaussian_filter(lesion * 1.0, 1), 0)
    name = f"sub-{number:04d}"
    taken = Sample(name, "patient" if number % 3 else "healthy", image, brain, lesion, {})
    return taken, Prediction(name, split, scores, np.clip(image - scores, 0, 1), 1.0, 1.0)


def write(folder: Path, volumes: int, shape: tuple[int, int, int]) -> tuple[Path, list[Path]]:
    brain, packs = head(shape), []
    numbers = {"validation": range(max(2, volumes // 10)), "test": range(volumes - max(2, volumes // 10))}
    for split, own in numbers.items():
        packs.append(folder / f"{split}.h5")
        subjects = (sample(split, number, brain)[0] for number in own)
        write_pack(packs[-1], subjects, affine=np.diag([2.0, 2, 2, 1]), modality="T1w", cohort="benchmark", split=split)

    def predictions() -> Iterator[Prediction]:
        yield from (sample(split, number, brain)[1] for split, own in numbers.items() for number in own)

    write_maps(folder / "maps.h5", predictions(), {})
    return folder / "maps.h5", packs


def used_seconds() -> float:
    """Return the CPU time of this process and of its finished workers."""
    used = [resource.getrusage(processes) for processes in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_mb(processes: int) -> float:
    """Return the largest resident set in MB (Linux counts in KiB)."""
    return resource.getrusage(processes).ru_maxrss / 1024


def counted(scores: np.ndarray, reference: np.ndarray) -> None:
    counts = Tally.of(count(to_ordinals(scores), reference)).counts
    average_precision(counts), auroc(counts), dice_curve(counts)


def naive(scores: np.ndarray, reference: np.ndarray) -> None:
    average_precision_score(reference, scores), roc_auc_score(reference, scores)
    for threshold in np.linspace(scores.min(), scores.max(), NAIVE_THRESHOLDS):
        prediction = scores > threshold
        2 * (prediction & reference).sum() / (prediction.sum() + reference.sum())


def compare(shape: tuple[int, int, int]) -> None:
    brain, times = head(shape), {counted: 0.0, naive: 0.0}
    for number in range(1, 3 * NAIVE_VOLUMES, 3):
        taken, predicted = sample("test", number, brain)
        scores, reference = predicted.anomaly_map[brain].astype(np.float16), taken.lesion[brain]
        for way in times:
            times[way] += best_time(way, scores, reference)
    ours, theirs = (1000 * spent / NAIVE_VOLUMES for spent in (times[counted], times[naive]))
    print(f"ranking metrics   {ours:8.1f} ms per volume by counting, {theirs:.1f} ms naively: {theirs / ours:.0f} times")


def best_time(way: Callable[[np.ndarray, np.ndarray], None], *arrays: np.ndarray) -> float:
    """Return the CPU time of the faster of two runs."""
    spent = []
    for _ in range(2):
        begun = time.process_time()
        way(*arrays)
        spent.append(time.process_time() - begun)
    return min(spent)


if __name__ == "__main__":
    main()
