"""The second round of REFLECT: a flow that is straightened along the ways of the first.

Beizaee et al. 2025, MICCAI, arXiv 2508.02889; the reflow of Liu et al. 2023, arXiv 2209.03003.

1. Start from the weights of a trained `reflect`, which stays as it is beside the new one.
2. Latents are corrupted as there; the first flow carries them to y_1' in five Euler steps.
3. The new flow learns the velocity y_1' - y_0 on the straight way between them.
4. Test and map as in `reflect`.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from madad.core.interfaces import Batch
from madad.models.diffusion.rectified_flow import RectifiedFlow, flowed


class REFLECT2(RectifiedFlow):
    """Velocity of latents, learnt from another one; hyper-parameters as in the card.

    Args:
        model: a trained `RectifiedFlow`.
        shared: the hyper-parameters of `RectifiedFlow`.
    """

    def __init__(self, *, model: RectifiedFlow, teacher_steps: int, **shared: Any) -> None:
        unet = copy.deepcopy(model.unet).requires_grad_(True)
        super().__init__(latents=model.latents, unet=unet, walks=model.walks, **shared)
        self.teacher = model.unet
        self.teacher_steps = teacher_steps

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the squared error of the velocity towards the ends of the first flow; arXiv 2508.02889, section 2."""
        y_0, _ = self.draw_pair(batch, generator)
        with torch.no_grad():
            end = flowed(self.teacher, y_0, self.teacher_steps)
        return {"loss": self.flow_loss(y_0, end, generator)}
