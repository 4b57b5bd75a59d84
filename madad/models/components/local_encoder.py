"""A residual encoder with weights of a local file, trained elsewhere on other images.

He et al. 2016 (arXiv 1512.03385) for the network; the weights are the user's.

1. The file, in the layout of torchvision or timm, is read when the part is fitted; its weights then are in the part's model file.
2. Methods use `encoder` afterwards, an ordinary network on grey values in [0, 1].

See `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from madad.core.interfaces import Batch
from madad.models.networks import foreign_weights
from madad.models.networks.resnet import ResNetEncoder
from madad.models.untrained import Untrained

KEY = "local_encoder.parameters.weights"


class LocalEncoder(Untrained):
    """An encoder that learns nothing here; hyper-parameters as in the card."""

    def __init__(self, *, weights: str, encoder_depth: int, encoder_width: int, encoder_stages: int) -> None:
        super().__init__()
        self.weights = weights
        self.encoder = ResNetEncoder(depth=encoder_depth, width=encoder_width, stages=encoder_stages, drop_path=0.0)

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Load the file; the images are not looked at."""
        foreign_weights.adopt(self.encoder, foreign_weights.read(self.weights, KEY), KEY)
