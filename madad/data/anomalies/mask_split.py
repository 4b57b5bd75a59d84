"""Which lesion masks shape the lesions that are trained on, and which those of test sets; and how it is checked.

A mask is on one side alone, and so is every mask of the same person (the part `sub-…` of its name), every copy with the same
voxels, and every mask that covers the same place: two different lesions of two people hardly overlap with a Dice of 0.8.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from madad.core.errors import UserError
from madad.core.logs import say
from madad.data.anomalies.lesion_masks import Lesion, Pose, place, read_folder

# Dice in the same place from which on two masks are of one lesion; those of fewer cells are compared by their voxels alone.
SAME_PLACE, FEWEST_CELLS = 0.8, 30
# Cells of 3 mm around the brain in MNI space, (I, J, K) and their affine.
_SHAPE = (66, 78, 66)
_AFFINE = np.array([[3.0, 0, 0, -97.5], [0, 3, 0, -132], [0, 0, 3, -90], [0, 0, 0, 1]])


def divided(folder: str | Path, options: dict) -> tuple[list[Lesion], list[Lesion]]:
    """Read a folder of lesion masks and return those for training and those for test sets.

    The order of the people is that of hashes of `mask_seed` and their masks, so that it depends on neither names nor disk; the
    first of them, with `test_masks` of all masks, are for test sets.

    Args:
        folder: of masks in MNI space.
        options: `test_masks` (share for test sets, 0 to 1) and `mask_seed`.

    Raises:
        UserError: no mask can be used, or all are of one person or lesion and cannot be divided.
    """
    lesions = read_folder(folder)
    share, seed = float(options["test_masks"]), options["mask_seed"]
    if share in (0.0, 1.0):
        return (lesions, []) if share == 0 else ([], lesions)
    groups = _groups(lesions)
    hashes = np.array([_key(seed, lesion.digest) for lesion in lesions])
    keys = {group: min(hashes[groups == group]) for group in set(groups)}
    order = sorted(keys, key=lambda group: keys[group])
    if len(order) < 2:
        raise UserError(
            f"{folder}: all {len(lesions)} masks are of one person or one lesion, and cannot be divided between training and "
            "test sets; add masks, or set anomalies.test_masks to 0 (test sets get random shapes) or 1 (training gets them)"
        )
    chosen, wanted = {order[0]}, share * len(lesions)
    for group in order[1:-1]:
        if np.isin(groups, list(chosen)).sum() + (groups == group).sum() / 2 <= wanted:
            chosen.add(group)
    test = [lesion for lesion, group in zip(lesions, groups, strict=True) if group in chosen]
    training = [lesion for lesion, group in zip(lesions, groups, strict=True) if group not in chosen]
    say(f"{folder}: {len(training)} masks shape lesions to train on, {len(test)} those of test sets")
    return training, test


def footprints(lesions: Sequence[Lesion]) -> csr_array:
    """Return which cells of a common grid in MNI space every mask covers, (N, cells) sparse, 1 or 0."""
    cells = [np.flatnonzero(place(lesion, Pose(), _SHAPE, _AFFINE) > 0.5) for lesion in lesions]
    ends = np.cumsum([0, *map(len, cells)])
    columns = np.concatenate(cells) if cells else np.zeros(0, dtype=np.int64)
    return csr_array((np.ones(columns.size, dtype=np.float32), columns, ends), shape=(len(lesions), int(np.prod(_SHAPE))))


def overlap(one: csr_array, other: csr_array) -> np.ndarray:
    """Return the Dice of every pair of footprints, (N, M); 0 for those of fewer than `FEWEST_CELLS`."""
    both = (one @ other.T).toarray()
    sizes = [np.asarray(part.sum(axis=1)).ravel() for part in (one, other)]
    dice = 2 * both / np.maximum(sizes[0][:, None] + sizes[1][None], 1)
    return np.where((sizes[0] >= FEWEST_CELLS)[:, None] & (sizes[1] >= FEWEST_CELLS)[None], dice, 0)


def same_lesion(one: Sequence[Lesion], other: Sequence[Lesion]) -> list[tuple[int, int]]:
    """Return the pairs of indices of masks that are of one lesion: with the same voxels, or in the same place."""
    if not one or not other:
        return []
    equal = np.array([[a.digest == b.digest and a.digest != "" for b in other] for a in one])
    return [(int(i), int(j)) for i, j in np.argwhere(equal | (overlap(footprints(one), footprints(other)) >= SAME_PLACE))]


def bank_sources(paths: Sequence[str | Path]) -> dict[str, str]:
    """Return the real masks behind the maps of a bank: names by digest. Read without torch.

    Raises:
        UserError: a file cannot be read, or is of a version that did not name its masks.
    """
    found: dict[str, str] = {}
    for path in paths:
        try:
            with h5py.File(path, "r") as store:
                digests, names = (store[key].asstr()[:] for key in ("digest", "source"))
        except (OSError, KeyError) as error:
            raise UserError(f"{path}: does not name the masks behind its maps ({error}); delete the file and run again") from None
        found |= {digest: name for digest, name in zip(digests, names, strict=True) if digest}
    return found


def _groups(lesions: Sequence[Lesion]) -> np.ndarray:
    """Return a number for every mask, the same for those that belong together."""
    people = [match[0] if (match := re.match(r"sub-[A-Za-z0-9]+", lesion.name)) else "" for lesion in lesions]
    links = [(i, people.index(person)) for i, person in enumerate(people) if person]
    links += same_lesion(lesions, lesions)
    rows, columns = np.array(links).reshape(-1, 2).T
    graph = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(lesions), len(lesions)))
    return connected_components(graph, directed=False)[1]


def _key(seed: int, digest: str) -> str:
    return hashlib.sha256(f"{seed} {digest}".encode()).hexdigest()
