"""Of a subject that has been scored its numbers are kept, and no image."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

RUN = """
import resource, sys
from pathlib import Path
import numpy as np
from madad.core.io.hdf5 import Prediction, Sample, write_maps, write_pack
from madad.evaluation.protocol.run import evaluate
from madad.evaluation.results import collected
from madad.evaluation.results.long_table import IDENTITY
from madad.evaluation.statistics.summary import summarise

folder, number = Path(sys.argv[1]), int(sys.argv[2])
brain = np.ones((8, 24, 24), dtype=bool)
names = dict.fromkeys(IDENTITY, "large")

def samples(split, subjects):
    for place in range(subjects):
        generator = np.random.default_rng([len(split), place])
        image = generator.random(brain.shape, dtype=np.float32)
        lesion = np.zeros_like(brain)
        if place % 2:
            lesion[2:5, 8:14, 8:14] = True
        yield Sample(f"sub-{place:05d}", "patient" if place % 2 else "healthy", image, brain, lesion, {})

def predictions():
    for split, subjects in splits.items():
        for sample in samples(split, subjects):
            yield Prediction(sample.name, split, sample.image + 0.5 * sample.lesion, sample.image, 1.0, 1.0)

splits = {"validation": 20, "test": number}
packs = [folder / f"{split}.h5" for split in splits]
for path, (split, subjects) in zip(packs, splits.items()):
    write_pack(path, samples(split, subjects), affine=np.eye(4), modality="T1w", cohort="large", split=split)
write_maps(folder / "maps.h5", predictions(), {})
evaluate(folder / "maps.h5", packs, {"erosion": 0, "median": 0, "min_component": 0}, names, folder / "metrics.tsv", workers=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
collected.collect([folder / "metrics.tsv"], folder / "metrics.csv")
summarise(folder / "metrics.csv", folder / "summary.csv")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_two_thousand_subjects_need_little_more_memory_than_fifty(tmp_path: Path) -> None:
    peaks = {}
    for number in (50, 2000):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run([sys.executable, "-c", RUN, str(folder), str(number)], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        peaks[number] = [float(line) for line in done.stdout.split()]
    evaluation, tables = (after - before for before, after in zip(*peaks.values(), strict=True))
    # about 70 kB a subject for its numbers; a map and an image that were kept would add 36 kB
    assert max(evaluation, tables) < 170
