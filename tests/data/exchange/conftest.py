"""A toy test set of two packs, and maps of it in files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from madad.core.io.hdf5 import Pack
from tests.evaluation.cases import Case

GROUPS = {"validation": ["healthy"], "test": ["healthy", "patient", "patient"]}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path, GROUPS)


@pytest.fixture
def packs(case: Case) -> Iterator[list[Pack]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Pack(path)) for path in case.packs]


def save(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Write (S, H, W) as a NIfTI file on the grid of a pack."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array.transpose(2, 1, 0), affine), path)


def score(pack: Pack, index: int) -> np.ndarray:
    """What the other framework says: the image, and 7 outside the brain."""
    return np.where(pack.brain(index), pack.image(index), 7.0)
