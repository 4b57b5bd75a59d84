"""Self-supervised pre-training of a residual encoder by masked modelling (SparK, Tian et al. 2023).

Tian et al. 2023, "Designing BERT for Convolutional Networks", ICLR, arXiv 2301.03580; for brain MRI by Behrendt et al. 2023,
arXiv 2312.04215.

1. Cut a healthy slice into patches as large as one of the encoder's last features sees; hide two thirds of them.
2. The encoder sees the visible patches alone (sparse convolution, batch statistics of visible sites).
3. At every scale hidden sites get a learnt token, and a light decoder reconstructs the slice.
4. Loss: squared error of the hidden patches alone.
5. Methods use `encoder` afterwards, an ordinary network.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from madad.core import draws
from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.networks.resnet import ResNetEncoder
from madad.models.networks.spark import Decoder, Densify, draw_visible, on_grid_of, sparse_pyramid


class SparK(nn.Module):
    """Encoder, tokens and decoder; hyper-parameters as in the card."""

    def __init__(
        self, *, encoder_depth: int, encoder_width: int, encoder_stages: int, drop_path: float, mask_ratio: float
    ) -> None:
        super().__init__()
        self.encoder = ResNetEncoder(depth=encoder_depth, width=encoder_width, stages=encoder_stages, drop_path=drop_path)
        coarsest_first = list(reversed(self.encoder.channels))
        widths = [encoder_width * 2**stage for stage in reversed(range(encoder_stages))]
        self.densify = nn.ModuleList(
            Densify(inputs, outputs, kernel=3 if index else 1)
            for index, (inputs, outputs) in enumerate(zip(coarsest_first, widths, strict=True))
        )
        # Stem and max-pool halve once each, every stage but the first once more.
        steps = encoder_stages + 1
        self.decoder = Decoder(widths[0], steps)
        self.patch = 2**steps
        self.mask_ratio = mask_ratio

    def training_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Return the mean squared error over the hidden patches of the slices (B, 1, H, W); SparK, section 3.

        Raises:
            UserError: the slices cannot be cut into patches.
        """
        x_0 = batch["image"]
        visible = draws.sent(draw_visible(len(x_0), self._grid(x_0), self.mask_ratio, generator), x_0.device)
        error = (self._paint(x_0, visible) - x_0) ** 2
        return {"loss": error[~on_grid_of(x_0, visible)].mean()}

    def _paint(self, x_0: Tensor, visible: Tensor) -> Tensor:
        """Reconstruct the slices (B, 1, H, W) from their visible patches."""
        pyramid = reversed(sparse_pyramid(self.encoder, x_0, visible))
        return self.decoder([fill(features, visible) for fill, features in zip(self.densify, pyramid, strict=True)])

    def _grid(self, x_0: Tensor) -> tuple[int, int]:
        """Return the rows and columns of patches."""
        rows, columns = x_0.shape[2] // self.patch, x_0.shape[3] // self.patch
        if (rows * self.patch, columns * self.patch) != x_0.shape[2:] or rows * columns < 2:
            sides = ", ".join(str(self.patch * count) for count in (2, 3, 4))
            raise UserError(
                f"spark.parameters.encoder_stages: slices of {x_0.shape[2]} x {x_0.shape[3]} voxels cannot be cut into several "
                f"patches of {self.patch} x {self.patch}; sides of {sides} … can: change the pipeline's spacing_mm, or take "
                "one stage less, which halves the patch, here and in the method that is pre-trained"
            )
        return rows, columns
