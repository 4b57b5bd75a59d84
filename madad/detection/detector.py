"""A trained model that is applied to single scans: from a head in its own space to maps in its own space."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from madad.core import intensity_scale
from madad.core.errors import SubjectError, UserError
from madad.core.io.volumes import Volume
from madad.core.provenance import file_hash
from madad.core.score_levels import ScoreLevels
from madad.data import template
from madad.data.template import Template
from madad.detection import bundled_models, model_building, outside, seen_images
from madad.detection.preparation import Image, Prepared, prepare
from madad.detection.result import Result, Volumes
from madad.evaluation.metrics.connected_components import components
from madad.evaluation.metrics.ordinal_scores import ScoreCode, to_scores
from madad.evaluation.protocol.postprocessing import coded, erode, remove_small, score_inside
from madad.evaluation.results.protocol_table import PROTOCOLS

if TYPE_CHECKING:
    import torch
    from torch import nn

# So many predicted components are listed.
LISTED = 20


class Detector:
    """A trained model; call it with a scan.

    Attributes:
        about: what its file says of it, see docs/how-to/model_files.md.
    """

    def __init__(self, method: nn.Module, about: dict[str, Any], device: torch.device) -> None:
        self.about = about
        self._method = method
        self._device = device

    @property
    def modality(self) -> str:
        """The sequence that it reads."""
        return self.about["modality"]

    def __call__(
        self,
        image: Image,
        *,
        modality: str | None = None,
        skull_strip: str = "auto",
        brain: Image | None = None,
        force: bool = False,
    ) -> Result:
        """Return what the model says of a scan.

        Args:
            image: NIfTI file or image of nibabel, a head or a brain, on any grid.
            modality: its sequence, if known.
            skull_strip: see `madad.detection.preparation.prepare`.
            brain: brain mask on the grid of the image.
            force: whether a scan that is outside what the model has seen is flagged instead of refused.

        Raises:
            SubjectError: the scan cannot be used, or is outside what the model has seen.
        """
        shown = str(image) if isinstance(image, str | Path) else "the image"
        if modality not in (None, self.modality) and not force:
            raise SubjectError(f"{shown}: is {modality}, the model was trained on {self.modality}; give that sequence")
        options, model = self.about["preprocessing"], self.about["intensity_model"]
        prepared = prepare(image, self.modality, options, model, skull_strip=skull_strip, brain=brain)
        if list(prepared.image.array.shape) != self.about["grid"]["voxels"]:
            raise UserError(
                f"the template has another grid in this version of madad; install commit {self.about['code']['commit']}"
            )
        verdict = outside.judge(_measures(prepared, template.target(options)), self.about["seen"])
        if verdict.refusals and not force:
            reasons = "; ".join(verdict.refusals)
            raise SubjectError(
                f"{shown}: is outside what the model has seen: {reasons}. Look at it; `force` goes on and flags it"
            )
        flags = [*verdict.refusals, *verdict.flags, *filter(None, [prepared.warning])]
        return self._result(prepared, flags)

    def _result(self, prepared: Prepared, flags: list[str]) -> Result:
        from madad.core.interfaces import Method, conforming
        from madad.engine.inference import apply

        image, brain = (np.ascontiguousarray(array.transpose(2, 1, 0)) for array in (prepared.image.array, prepared.brain))
        method = conforming(self._method, Method)
        made = apply(method, image, brain, int(self.about["seed"]), prepared.name, self._device)
        if not np.isfinite(made.anomaly_map).all():
            raise SubjectError(f"{prepared.name}: the model's map holds NaN or infinite values; check the image")
        scored, inside = cleaned(made.anomaly_map, brain, self.about["postprocessing"])
        cut = self.about["threshold"]
        mask = (
            None if cut is None else remove_small((scored > cut["value"]) & inside, self.about["postprocessing"]["min_component"])
        )
        volumes = Volumes(
            map=_on(prepared, made.anomaly_map * brain),
            mask=None if mask is None else _on(prepared, mask.astype(np.uint8)),
            reconstruction=None if made.reconstruction is None else _on(prepared, made.reconstruction),
            image=prepared.image.with_array(intensity_scale.seen(prepared.image.array)),
            brain=prepared.image.with_array(prepared.brain.astype(np.uint8)),
        )
        scores = {protocol.name: float(protocol.reduce(scored[inside])) for protocol in PROTOCOLS if protocol.reduce}
        found = [] if mask is None else _components(mask, scored, prepared)
        if mask is not None:
            scores |= {"volume_ml": float(mask.sum()) * prepared.image.voxel_ml, "components": float(components(mask).number)}
        return Result(prepared, volumes, scores, found, cut, flags, made.seconds)


def load(path: str | Path, device: str = "auto") -> Detector:
    """Return the detector in a model file.

    Args:
        path: of `madad model export`, or the name of a model that comes with madad.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        UserError: the file cannot be used here.
    """
    import torch

    from madad.engine import devices

    path = bundled_models.find(path)
    method, about = model_building.build(path)
    for key, known in about["grid"]["files"].items():
        file = Path(about["grid"][key])
        if not file.is_file() or file_hash(file) != known:
            raise UserError(f"{path}: registers to {file}, which is not here or has changed; put the model's own {key} there")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    chosen = torch.device(device)
    devices.move(method, chosen).eval()
    return Detector(method, about, chosen)


def cleaned(anomaly_map: np.ndarray, brain: np.ndarray, sizes: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a map after the post-processing that its thresholds belong to, and the voxels that have a score.

    As in the evaluation (`madad.evaluation.protocol.postprocessing`), windows see the brain alone.

    Args:
        anomaly_map: (S, H, W).
        brain: (S, H, W) bool.
        sizes: `erosion` and `median` in voxels.
    """
    inside = erode(brain, sizes["erosion"])
    if sizes["median"] <= 1:
        return np.where(inside, anomaly_map, 0), inside
    levels = ScoreLevels()
    levels.add(anomaly_map[inside])
    code = ScoreCode(levels.listed())
    filtered = score_inside(coded(anomaly_map, inside, code), inside, sizes["median"])
    return np.where(inside, to_scores(filtered, code), 0), inside


def _on(prepared: Prepared, array: np.ndarray) -> Volume:
    """Return (S, H, W) as a volume (I, J, K) on the template's grid."""
    return prepared.image.with_array(np.ascontiguousarray(array.transpose(2, 1, 0)))


def _measures(prepared: Prepared, grid: Template) -> dict[str, float]:
    return {
        **seen_images.raw_measures(prepared.measures),
        **seen_images.voxel_sides(prepared.scan),
        **seen_images.look(prepared.image.array, prepared.brain, grid),
    }


def _components(mask: np.ndarray, scored: np.ndarray, prepared: Prepared) -> list[dict[str, Any]]:
    """Return the largest components of a prediction (S, H, W), the largest first."""
    labels, number = ndimage.label(mask, np.ones((3, 3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=number + 1)[1:]
    found = []
    for label in np.argsort(-sizes, kind="stable")[:LISTED] + 1:
        here = labels == label
        centre = np.argwhere(here).mean(axis=0)[::-1]
        point = prepared.to_scan @ prepared.image.affine @ [*centre, 1.0]
        found.append(
            {
                "volume_ml": float(sizes[label - 1]) * prepared.image.voxel_ml,
                "highest": float(scored[here].max()),
                "mean": float(scored[here].mean()),
                "centre_mm": [round(float(value), 1) for value in point[:3]],
            }
        )
    return found
