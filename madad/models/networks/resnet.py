"""Residual networks for grey slices: the encoder of a condition, and what is pre-trained for it.

Source: He et al. 2016 (arXiv 1512.03385), table 1, as MONAI builds it: 7 x 7 stem and max-pool, each of stride 2, then stages
that double the channels and, but for the first, halve the resolution.
"""

from __future__ import annotations

from monai.networks.nets.resnet import ResNet, ResNetBottleneck
from torch import Tensor, nn

# Blocks of every stage.
DEPTHS = {18: ("basic", [2, 2, 2, 2]), 50: ("bottleneck", [3, 4, 6, 3])}
LAST_LAYER = "fc."


class ResNetEncoder(ResNet):
    """From a slice (B, 1, H, W) to an embedding (B, outputs), by the mean over its last features.

    Args:
        depth: 18 or 50 layers, counted with all four stages.
        width: channels of the stem and the first stage; 64 in the paper.
        stages: 2 to 4, of which the first are kept; the last features are H / 2^(stages + 1) high.
        outputs: width of the embedding; None for a network without the last linear layer.

    Attributes:
        sizes: the first three, under the names that methods give them.
        channels: those of the features of every stage.
    """

    def __init__(self, *, depth: int, width: int, stages: int, outputs: int | None = None) -> None:
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
        expansion = ResNetBottleneck.expansion if block == "bottleneck" else 1
        self.sizes = {"encoder_depth": depth, "encoder_width": width, "encoder_stages": stages}
        self.channels = [expansion * count for count in planes[:stages]]
        self.fc = nn.Linear(self.channels[-1], outputs) if outputs else None

    @property
    def stages(self) -> list[nn.Sequential]:
        """The stages that are kept, finest first; each is a sequence of residual blocks."""
        return [getattr(self, f"layer{stage + 1}") for stage in range(len(self.channels))]


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


def _body(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(LAST_LAYER)}
