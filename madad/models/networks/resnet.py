"""Residual networks for grey slices: the encoder of a condition, and what is pre-trained for it.

Source: He et al. 2016 (arXiv 1512.03385), table 1, as MONAI builds it: 7 x 7 stem and max-pool, each of stride 2, then stages
that double the channels and, but for the first, halve the resolution. As in the library that Behrendt et al. 2025 (arXiv
2312.04215) and Tian et al. 2023 (arXiv 2301.03580) take it from, every residual branch starts at zero (Goyal et al. 2017, arXiv
1706.02677, section 5.1) and may be dropped in training (Huang et al. 2016, arXiv 1603.09382).
"""

from __future__ import annotations

from typing import Any

import torch
from monai.networks.nets.resnet import ResNet, ResNetBlock, ResNetBottleneck
from torch import Tensor, nn

from madad.core import draws

LAST_LAYER = "fc."
DROP_PATH = 0.05  # of Tian et al. 2023 and Behrendt et al. 2025, released codes


class DropPath(nn.Module):
    """Set the branches of randomly chosen images to zero in training, and enlarge the others; Huang et al. 2016, section 3.

    Attributes:
        p: probability that the branch of an image is dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.p = 0.0

    def forward(self, branch: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape; draws from the global generator, as dropout does."""
        if not self.training or self.p == 0:
            return branch
        kept = torch.rand(len(branch), *[1] * (branch.ndim - 1)) >= self.p
        return branch * draws.like(kept / (1 - self.p), branch)


class BasicBlock(ResNetBlock):
    """Residual block of two convolutions, whose branch may be dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drop_path = DropPath()

    @property
    def convolutions(self) -> list[nn.Module]:
        """The convolutions of the branch, in order."""
        return [self.conv1, self.conv2]

    @property
    def norms(self) -> list[nn.Module]:
        """The norm after each of the convolutions."""
        return [self.bn1, self.bn2]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H', W')."""
        return _residual(self, x)


class Bottleneck(ResNetBottleneck):
    """Residual block of three convolutions, whose branch may be dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.drop_path = DropPath()

    @property
    def convolutions(self) -> list[nn.Module]:
        """The convolutions of the branch, in order."""
        return [self.conv1, self.conv2, self.conv3]

    @property
    def norms(self) -> list[nn.Module]:
        """The norm after each of the convolutions."""
        return [self.bn1, self.bn2, self.bn3]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C_in, H, W) to (B, C_out, H', W')."""
        return _residual(self, x)


# Kind and number of the blocks of every stage.
DEPTHS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], list[int]]] = {
    18: (BasicBlock, [2, 2, 2, 2]),
    50: (Bottleneck, [3, 4, 6, 3]),
}


class ResNetEncoder(ResNet):
    """From a slice (B, 1, H, W) to an embedding (B, outputs), by the mean over its last features.

    Args:
        depth: 18 or 50 layers, counted with all four stages.
        width: channels of the stem and the first stage; 64 in the paper.
        stages: 2 to 4, of which the first are kept; the last features are H / 2^(stages + 1) high.
        outputs: width of the embedding; None for a network without the last linear layer.
        drop_path: probability that training drops the branch of the last block; of the others it rises linearly from 0 at the
            first.
        zero_branches: start every branch at zero.

    Attributes:
        sizes: the first three, under the names that methods give them.
        channels: those of the features of every stage.
    """

    def __init__(
        self,
        *,
        depth: int,
        width: int,
        stages: int,
        outputs: int | None = None,
        drop_path: float = DROP_PATH,
        zero_branches: bool = True,
    ) -> None:
        block, blocks = DEPTHS[depth]
        planes = [width * 2**stage for stage in range(len(blocks))]
        super().__init__(
            block=block,
            layers=blocks,
            block_inplanes=planes,
            spatial_dims=2,
            n_input_channels=1,
            # MONAI's own defaults, a stem of stride 1 and shortcuts with bias, are not the paper's.
            conv1_t_size=7,
            conv1_t_stride=2,
            bias_downsample=False,
            feed_forward=False,
        )
        for stage in range(stages, len(blocks)):
            setattr(self, f"layer{stage + 1}", nn.Identity())
        expansion = block.expansion
        self.sizes = {"encoder_depth": depth, "encoder_width": width, "encoder_stages": stages}
        self.channels = [expansion * count for count in planes[:stages]]
        self.fc = nn.Linear(self.channels[-1], outputs) if outputs else None
        branches = [module for module in self.modules() if isinstance(module, BasicBlock | Bottleneck)]
        for index, branch in enumerate(branches):
            branch.drop_path.p = drop_path * index / max(len(branches) - 1, 1)
            if zero_branches:
                nn.init.zeros_(branch.norms[-1].get_parameter("weight"))

    @property
    def stages(self) -> list[nn.Sequential]:
        """The stages that are kept, finest first; each is a sequence of residual blocks."""
        return [getattr(self, f"layer{stage + 1}") for stage in range(len(self.channels))]

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Return the features (B, C_i, H_i, W_i) of every stage, finest first, of images (B, 1, H, W); strides 4, 8, 16, 32."""
        h = self.maxpool(self.act(self.bn1(self.conv1(images))))
        pyramid = []
        for stage in self.stages:
            h = stage(h)
            pyramid.append(h)
        return pyramid


def transfer(source: ResNetEncoder, target: ResNetEncoder) -> int:
    """Copy all weights and batch statistics except those of the last linear layer.

    Returns:
        how many tensors were copied: all that both have.

    Raises:
        ValueError: a tensor of one is not in the other, or has another shape there; nothing is copied.
    """
    given, wanted = _body(source), _body(target)
    shapes = [{(name, tuple(tensor.shape)) for name, tensor in weights.items()} for weights in (given, wanted)]
    differing = sorted(name for name, _ in shapes[0] ^ shapes[1])
    if differing:
        raise ValueError(f"pre-trained weights do not fit the encoder: {', '.join(differing[:5])} … ({len(differing)} in all)")
    target.load_state_dict({**target.state_dict(), **given})
    return len(given)


def _residual(block: BasicBlock | Bottleneck, x: Tensor) -> Tensor:
    h = x
    for index, (convolution, norm) in enumerate(zip(block.convolutions, block.norms, strict=True)):
        h = norm(convolution(block.act(h) if index else h))
    return block.act(block.drop_path(h) + (block.downsample(x) if isinstance(block.downsample, nn.Sequential) else x))


def _body(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(LAST_LAYER)}
