"""Components of a map at all of its thresholds at once: how many there are, and how many of them are matched to lesions.

Voxels are added from the highest score to the lowest, and each joins the components that it touches (union–find; Tarjan 1975,
doi:10.1145/321879.321884). What is above a threshold is what has been added until then, so that one sweep replaces a labelling
for every threshold. The one-to-one matching of `madad.evaluation.metrics.lesion_detection` is repeated after every score at which
a component has changed that is small enough to be matched; elsewhere its result stays the same.

Cost: the 26 neighbours of every voxel, almost independent of the number of different scores.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numba
import numpy as np

from madad.evaluation.metrics.connected_components import with_margin
from madad.evaluation.metrics.lesion_detection import ONE_IN, voxels
from madad.evaluation.metrics.ordinal_scores import BINS

_AROUND = np.array([step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)])
_NONE, _TAKEN = -1, -2
_RIGHT, _EXCUSED = 1, 2  # a component touches a lesion that counts; one too small to count


class Counts(NamedTuple):
    """Components and matches of one map at every threshold, given where they change.

    Attributes:
        entries: (E,) int64, rising from 0: numbers hold for the thresholds from this − 1 up to the next one's.
        components: (E,) int32, those that count: large enough, and not only on lesions too small to count.
        matched: (E,) int32, pairs of a lesion and a component.
    """

    entries: np.ndarray
    components: np.ndarray
    matched: np.ndarray

    @property
    def false_positives(self) -> np.ndarray:
        """(E,) components without a lesion of their own."""
        return self.components - self.matched

    def at(self, thresholds: np.ndarray) -> Counts:
        """Return the numbers at ordinals (T,), −1 for every voxel."""
        place = np.searchsorted(self.entries, np.asarray(thresholds) + 1, side="right") - 1
        return Counts(np.asarray(thresholds) + 1, self.components[place], self.matched[place])


def summed(counts: Iterable[Counts]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of components and of matches at every threshold from −1 on, (BINS + 1,) each."""
    changes = np.zeros((2, BINS + 1), dtype=np.int64)
    for one in counts:
        changes[0, one.entries] += np.diff(one.components, prepend=0)
        changes[1, one.entries] += np.diff(one.matched, prepend=0)
    components, matched = np.cumsum(changes, axis=1)
    return components, matched


# What is known of a component, at the place of its root in an array (P, 5) over the voxels of the padded volume: its size; its
# lowest voxel, for the order of `connected_components.components`; what it touches; its first node; and the level at which it was
# last looked at for a match, or that it has one.
_SIZE, _FIRST, _TOUCHED, _HEAD, _SEEN = range(5)
# The lesions under a component are a list of nodes by rising lesion, at first one node per lesion voxel, in an array (N, 3).
_LESION, _SHARED, _NEXT = range(3)


def count_at_every_threshold(
    ordinals: np.ndarray, brain: np.ndarray, min_component: int, lesions: np.ndarray | None = None, number: int = 0
) -> Counts:
    """Count components and matches at every threshold.

    Args:
        ordinals: (S, H, W) uint16.
        brain: (S, H, W) bool, the voxels that have a score.
        min_component: components with fewer voxels are removed.
        lesions: (S, H, W) of `madad.evaluation.metrics.lesion_detection.label`; None for no lesion.
        number: lesions that count.
    """
    scores = ordinals[brain]
    falling = np.argsort(~scores, kind="stable")
    names = np.zeros(scores.size, dtype=np.int32) if lesions is None else lesions[brain][falling]
    volumes = np.zeros(0, dtype=np.int64) if lesions is None else voxels(lesions, number)
    places, strides, wide = with_margin(np.flatnonzero(brain), brain.shape)
    places = places[falling]
    # after the last voxel of a score everything at and above it has been added
    ends = np.flatnonzero(np.diff(scores[falling], append=-1))
    parent = np.full(wide, _NONE, dtype=np.int32)
    nodes = np.full((int(np.count_nonzero(names > 0)), 3), _NONE, dtype=np.int32)
    components, matched = _sweep(parent, nodes, places, names, ends, _AROUND @ strides, np.append(0, volumes), min_component)
    levels = scores[falling][ends][::-1].astype(np.int64)
    return _where_changed(np.append(0, levels + 1), np.append(components[::-1], 0), np.append(matched[::-1], 0))


def _where_changed(entries: np.ndarray, components: np.ndarray, matched: np.ndarray) -> Counts:
    changed = (np.diff(components, prepend=_NONE) != 0) | (np.diff(matched, prepend=_NONE) != 0)
    return Counts(entries[changed], components[changed].astype(np.int32), matched[changed].astype(np.int32))


@numba.njit(cache=True)
def _sweep(
    parent: np.ndarray,
    nodes: np.ndarray,
    places: np.ndarray,
    names: np.ndarray,
    ends: np.ndarray,
    around: np.ndarray,
    volumes: np.ndarray,
    least: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Add the voxels in their order; return the number of components and of matches after each of the `ends`.

    Args:
        parent: (P,) int32, `_NONE` before a voxel of the padded volume is added.
        nodes: (N, 3) int32, room for as many nodes as there are lesion voxels.
        places: (V,) flat indices of the padded volume.
        names: (V,) labels of the lesions there.
        ends: (E,) the last voxel of each score.
        around: (26,) steps to the neighbours.
        volumes: (L + 1,) voxels of the lesions from 1 on.
        least: smaller components do not count.
    """
    components, matched = np.zeros(ends.size, dtype=np.int64), np.zeros(ends.size, dtype=np.int64)
    state = np.full((parent.size, 5), _NONE, dtype=np.int32)
    # a voxel or more of every component with a lesion that is small enough to be matched
    small, near = np.empty(len(nodes), dtype=np.int32), np.empty(around.size, dtype=np.int32)
    largest = ONE_IN * volumes.max()
    listed, used, start, number, pairs = 0, 0, 0, 0, 0
    for level in range(ends.size):
        changed = False
        for index in range(start, ends[level] + 1):
            place, name = places[index], names[index]
            neighbours = _components_around(parent, place, around, near)
            _start(parent, state, nodes, place, name, used)
            if name > 0:
                small[listed] = place
                listed, used = listed + 1, used + 1
            more, altered = _join_all(parent, state, nodes, place, near[:neighbours], least, largest)
            number, changed = number + more, changed or altered
        if changed:
            listed = _roots_still_small(parent, state, small, listed, level, largest)
            pairs = _matched(state, nodes, small[:listed], volumes, least)
        start, components[level], matched[level] = ends[level] + 1, number, pairs
    return components, matched


@numba.njit(cache=True)
def _components_around(parent: np.ndarray, place: int, around: np.ndarray, near: np.ndarray) -> int:
    """Fill in the roots of the components that a voxel touches, and return how many there are; most of the time goes here."""
    found, last = 0, _NONE
    for step in around:
        root = parent[place + step]
        if root in (_NONE, last):
            continue
        while parent[root] != root:
            parent[root] = parent[parent[root]]
            root = parent[root]
        parent[place + step], last, known = root, root, False
        for other in near[:found]:
            known = known or other == root
        if not known:
            near[found] = root
            found += 1
    return found


@numba.njit(cache=True)
def _start(parent: np.ndarray, state: np.ndarray, nodes: np.ndarray, place: int, name: int, node: int) -> None:
    """Make a voxel a component of its own."""
    parent[place], state[place, _FIRST], state[place, _SIZE] = place, place, 1
    state[place, _TOUCHED] = _RIGHT if name > 0 else _EXCUSED if name < 0 else 0
    if name > 0:
        state[place, _HEAD], nodes[node, _LESION], nodes[node, _SHARED] = node, name, 1


@numba.njit(cache=True)
def _join_all(
    parent: np.ndarray, state: np.ndarray, nodes: np.ndarray, root: int, near: np.ndarray, least: int, largest: int
) -> tuple[int, bool]:
    """Join components with that of a new voxel; return how many there are more, and whether matches may have changed."""
    changed, more = _may_match(state, root, largest), 0
    for other in near:
        changed = changed or _may_match(state, other, largest)
        more -= _counts(state, other, least)
        root = _join(parent, state, nodes, root, other)
    return more + _counts(state, root, least), changed


@numba.njit(cache=True)
def _counts(state: np.ndarray, root: int, least: int) -> int:
    return 1 if state[root, _SIZE] >= least and state[root, _TOUCHED] != _EXCUSED else 0


@numba.njit(cache=True)
def _may_match(state: np.ndarray, root: int, largest: int) -> bool:
    return state[root, _HEAD] != _NONE and state[root, _SIZE] <= largest


@numba.njit(cache=True)
def _join(parent: np.ndarray, state: np.ndarray, nodes: np.ndarray, one: int, other: int) -> int:
    """Join two components and return the root."""
    if state[one, _SIZE] < state[other, _SIZE]:
        one, other = other, one
    parent[other] = one
    state[one, _SIZE] += state[other, _SIZE]
    state[one, _FIRST] = min(state[one, _FIRST], state[other, _FIRST])
    state[one, _TOUCHED] |= state[other, _TOUCHED]
    if state[other, _HEAD] != _NONE:
        state[one, _HEAD] = _merged(nodes, state[one, _HEAD], state[other, _HEAD])
    return one


@numba.njit(cache=True)
def _merged(nodes: np.ndarray, one: int, other: int) -> int:
    """Merge two lists of lesions and return the first node."""
    first, last = _NONE, _NONE
    while one != _NONE and other != _NONE:
        if nodes[one, _LESION] == nodes[other, _LESION]:
            nodes[one, _SHARED] += nodes[other, _SHARED]
            other = nodes[other, _NEXT]
            continue
        if nodes[one, _LESION] > nodes[other, _LESION]:
            one, other = other, one
        if last == _NONE:
            first = one
        else:
            nodes[last, _NEXT] = one
        last, one = one, nodes[one, _NEXT]
    rest = one if one != _NONE else other
    if last == _NONE:
        return rest
    nodes[last, _NEXT] = rest
    return first


@numba.njit(cache=True)
def _roots_still_small(parent: np.ndarray, state: np.ndarray, small: np.ndarray, listed: int, level: int, largest: int) -> int:
    """Replace listed voxels by their roots, once each and without those grown too large; return how many are left."""
    kept = 0
    for root in small[:listed]:
        while parent[root] != root:
            root = parent[root]
        if state[root, _SEEN] != level and _may_match(state, root, largest):
            state[root, _SEEN], small[kept] = level, root
            kept += 1
    return kept


@numba.njit(cache=True)
def _matched(state: np.ndarray, nodes: np.ndarray, roots: np.ndarray, volumes: np.ndarray, least: int) -> int:
    """Return the number of pairs of `madad.evaluation.metrics.lesion_detection.matches`, by its rules and in its order."""
    most = ONE_IN * volumes.size  # a tenth of a lesion cannot lie in more than ten components
    overlap, members, names = np.empty(most), np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    found = 0
    for root in roots:
        node = state[root, _HEAD] if state[root, _SIZE] >= least else _NONE
        while node != _NONE:
            name, shared = nodes[node, _LESION], nodes[node, _SHARED]
            union = volumes[name] + state[root, _SIZE] - shared
            if ONE_IN * shared >= union:
                overlap[found], members[found], names[found] = shared / union, root, name
                found += 1
            node = nodes[node, _NEXT]
    _sort_pairs(overlap[:found], names, members, state)
    free, pairs = np.ones(volumes.size, dtype=np.bool_), 0
    for place in range(found):
        if free[names[place]] and state[members[place], _SEEN] != _TAKEN:
            free[names[place]], state[members[place], _SEEN] = False, _TAKEN
            pairs += 1
    return pairs


@numba.njit(cache=True)
def _sort_pairs(overlap: np.ndarray, names: np.ndarray, members: np.ndarray, state: np.ndarray) -> None:
    """Sort pairs by falling overlap, then rising lesion, then rising first voxel; there are few, so by insertion."""
    for end in range(1, overlap.size):
        place = end
        while place > 0:
            before = place - 1
            here = (-overlap[place], names[place], state[members[place], _FIRST])
            if (-overlap[before], names[before], state[members[before], _FIRST]) <= here:
                break
            overlap[place], overlap[before] = overlap[before], overlap[place]
            names[place], names[before] = names[before], names[place]
            members[place], members[before] = members[before], members[place]
            place = before
