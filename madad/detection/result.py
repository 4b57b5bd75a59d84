"""What a model says of one scan, on the template's grid and on the scan's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import nibabel as nib

from madad.core.io.volumes import Volume
from madad.detection import native_space
from madad.detection.preparation import Prepared


@dataclass(frozen=True)
class Volumes:
    """Map, mask, reconstruction, image and brain on the template's grid, as `Images` describes them."""

    map: Volume
    mask: Volume | None
    reconstruction: Volume | None
    image: Volume
    brain: Volume


@dataclass(frozen=True)
class Images:
    """What a model says of a scan, on one grid.

    Attributes:
        map: float32, larger where more abnormal, 0 outside the brain.
        mask: uint8, where the map lies above the threshold; None for a model without one.
        reconstruction: float32 in [0, 1], the scan as the model expects a healthy one; None for methods without.
        image: float32 in [0, 1], what the model read.
        brain: uint8.
    """

    map: nib.Nifti1Image
    mask: nib.Nifti1Image | None
    reconstruction: nib.Nifti1Image | None
    image: nib.Nifti1Image
    brain: nib.Nifti1Image


@dataclass(frozen=True)
class Result:
    """What a model says of one scan.

    Attributes:
        prepared: the scan as the model read it.
        volumes: everything on the template's grid.
        scores: of the whole scan: mean, p99, max and top100 of the map in the brain, and with a threshold `volume_ml` above it
            and the number of `components`.
        findings: the largest components: volume (ml), highest and mean score, and centre in the scan's own mm (RAS+).
        threshold: value, protocol and test set it comes from; None for a model without one.
        flags: what is strange about the scan, one sentence each.
        seconds: time of the method, without preprocessing.
    """

    prepared: Prepared
    volumes: Volumes
    scores: dict[str, float]
    findings: list[dict[str, Any]]
    threshold: dict[str, Any] | None
    flags: list[str]
    seconds: float

    @cached_property
    def template(self) -> Images:
        """Everything on the template's grid."""
        own = self.volumes
        return Images(
            nifti(own.map), _if_any(nifti, own.mask), _if_any(nifti, own.reconstruction), nifti(own.image), nifti(own.brain)
        )

    @cached_property
    def native(self) -> Images:
        """Everything on the grid of the scan, by the inverse transform."""
        own, to_scan, scan = self.volumes, self.prepared.to_scan, self.prepared.scan

        def continuous(volume: Volume) -> nib.Nifti1Image:
            return nifti(native_space.carry_map(volume, to_scan, scan))

        def lesions(volume: Volume) -> nib.Nifti1Image:
            return nifti(native_space.carry_mask(volume, to_scan, scan))

        brain = nifti(native_space.carry_brain(own.brain, to_scan, scan))
        return Images(
            continuous(own.map), _if_any(lesions, own.mask), _if_any(continuous, own.reconstruction), continuous(own.image), brain
        )

    @property
    def map(self) -> nib.Nifti1Image:
        """The anomaly map on the grid of the scan."""
        return self.native.map

    @property
    def mask(self) -> nib.Nifti1Image | None:
        """The prediction on the grid of the scan."""
        return self.native.mask

    @property
    def reconstruction(self) -> nib.Nifti1Image | None:
        """The pseudo-healthy image on the grid of the scan."""
        return self.native.reconstruction


def nifti(volume: Volume) -> nib.Nifti1Image:
    """Return a volume as an image of nibabel, in mm."""
    image = nib.Nifti1Image(volume.array, volume.affine)
    image.header.set_xyzt_units("mm")
    return image


def _if_any(convert: Callable[[Volume], nib.Nifti1Image], volume: Volume | None) -> nib.Nifti1Image | None:
    return None if volume is None else convert(volume)
