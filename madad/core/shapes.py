"""Tuples of three, with the number of axes known to the type checker: sizes, vectors and boxes of 3D grids."""

from __future__ import annotations

from collections.abc import Iterable

Shape3 = tuple[int, int, int]
Vector3 = tuple[float, float, float]
Box3 = tuple[slice, slice, slice]
# Two affines describe the same grid when no element differs by more than this (mm).
AFFINE_TOLERANCE_MM = 1e-3


def shape3(sizes: Iterable[int]) -> Shape3:
    """Return the sizes or indices along three axes as Python integers.

    Raises:
        ValueError: there are more or fewer than three axes.
    """
    first, second, third = (int(size) for size in sizes)
    return first, second, third


def vector3(values: Iterable[float]) -> Vector3:
    """Return the lengths, angles or factors along three axes as Python floats.

    Raises:
        ValueError: there are more or fewer than three axes.
    """
    first, second, third = (float(value) for value in values)
    return first, second, third


def box3(sides: Iterable[slice]) -> Box3:
    """Return the slices along three axes as the index of a box.

    Raises:
        ValueError: there are more or fewer than three axes.
    """
    first, second, third = sides
    return first, second, third
