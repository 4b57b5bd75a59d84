"""Errors of a predicted image, by name: the mean over all its voxels and the batch."""

from __future__ import annotations

from torch.nn import functional

LOSSES = {"l1": functional.l1_loss, "l2": functional.mse_loss}
