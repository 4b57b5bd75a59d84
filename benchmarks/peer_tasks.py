"""The tasks of `benchmarks.peers`, as madad does them and as its peers do."""

from __future__ import annotations

import itertools
import os
import resource
import time
from collections.abc import Callable

import ants
import numpy as np
import torch
from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet
from scipy import ndimage
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import evaluation
from madad.core.io.volumes import Volume
from madad.data.preprocessing.steps import ants_images, bias_field, registration
from madad.data.template import template_on_grid
from madad.engine import devices
from madad.engine.optimisers import OPTIMISERS
from madad.evaluation.metrics.connected_components import components
from madad.models.networks.unet import UNet

# image side, batch, channels at full resolution
SIZES = {"demo": (64, 16, 16), "small": (96, 8, 32)}
MULTIPLIERS = (1, 2, 2)
GROUPS = 8
STEPS = 10
MATRIX = 1024
SHAPE = (50, 96, 96)


class Prepared:
    """A task of one side, ready to be done again and again."""

    def __init__(self, task: str, side: str, device: str, threads: int) -> None:
        torch.set_num_threads(threads)
        os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = str(threads)
        self.device = devices.pick(device)
        self.images = 0
        kind, _, size = task.partition(" ")
        if size in SIZES:
            self.images = SIZES[size][1]
            self.action = network_task(kind, side, size, self.device)
        else:
            self.device = torch.device("cpu")
            self.action = OTHER_TASKS[task, side]()

    def seconds(self) -> float:
        """Do the task and return its time: of this process on a CPU, elapsed on a GPU."""
        clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        devices.synchronise(self.device)
        begun = clock()
        self.action()
        devices.synchronise(self.device)
        return clock() - begun

    def facts(self) -> dict[str, float]:
        """Return images and floating-point operations of the task, the peak of the device in the same unit and memory in MB."""
        if not self.images:
            return {"memory": evaluation.peak_mb(resource.RUSAGE_SELF)}
        memory = devices.peak_memory_mb(self.device)
        with FlopCounterMode(display=False) as counted:
            self.action()
        return {"images": self.images, "operations": counted.get_total_flops(), "peak": peak(self.device), "memory": memory}


def in_words(facts: dict[str, float], spent: float) -> str:
    """Return slices a second, achieved operations a second, their share of the peak and memory."""
    if "images" not in facts:
        return f"{facts['memory']:.0f} MB"
    achieved = facts["operations"] / spent
    rate = f"{facts['images'] / spent:.1f} slices/s, {achieved / 1e9:.1f} GFLOP/s"
    return f"{rate} ({achieved / facts['peak']:.0%} of a matrix product), {facts['memory']:.0f} MB"


def peak(device: torch.device) -> float:
    """Return the floating-point operations per second of a product of large matrices in float32, the best of five."""
    matrix = torch.rand(MATRIX, MATRIX, device=device)
    spent = []
    for _ in range(5):
        clock = time.process_time if device.type == "cpu" else time.perf_counter
        devices.synchronise(device)
        begun = clock()
        matrix @ matrix
        devices.synchronise(device)
        spent.append(clock() - begun)
    return 2 * MATRIX**3 / min(spent)


def network_task(kind: str, side: str, size: str, device: torch.device) -> Callable[[], object]:
    """Return a training step or a chain of DDIM steps of a U-Net."""
    pixels, batch, base = SIZES[size]
    network = unet(base) if side == "madad" else monai_unet(base)
    torch.manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.05)
    if side == "madad":
        devices.keep_freed_memory()
        network = devices.move(network, device, trains=kind == "train")
    else:
        network = network.to(device)
    x = torch.rand(batch, 1, pixels, pixels, device=device)
    t = torch.randint(1000, (batch,), device=device)
    if kind == "train":
        return training_step(side, network.train(), x, t)
    without = torch.inference_mode() if side == "madad" else torch.no_grad()
    return without(lambda: ddim(network.eval(), x))


def unet(base: int) -> nn.Module:
    """Return madad's U-Net; it adds the noise level before a norm, as MONAI's does."""
    return UNet(
        in_channels=1,
        out_channels=1,
        base_channels=base,
        channel_multipliers=MULTIPLIERS,
        blocks_per_level=1,
        norm_groups=GROUPS,
        scale_shift=False,
    )


def monai_unet(base: int) -> nn.Module:
    """Return MONAI's U-Net of the same channels, blocks, resampling inside blocks, and attention in the middle alone."""
    channels = [base * multiplier for multiplier in MULTIPLIERS]
    return DiffusionModelUNet(
        spatial_dims=2,
        in_channels=1,
        out_channels=1,
        channels=channels,
        num_res_blocks=1,
        attention_levels=[False] * len(channels),
        norm_num_groups=GROUPS,
        resblock_updown=True,
        num_head_channels=min(64, channels[-1]),
    )


def training_step(side: str, network: nn.Module, x: torch.Tensor, t: torch.Tensor) -> Callable[[], object]:
    adam = OPTIMISERS["adam"] if side == "madad" else torch.optim.Adam
    optimiser = adam(network.parameters(), lr=1e-5)

    def step() -> None:
        functional.mse_loss(network(x, t), x).backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def ddim(network: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Walk ten deterministic steps back by a network that predicts noise; Song et al. 2021 (arXiv 2010.02502), eq. 12."""
    levels = torch.linspace(0.1, 0.999, STEPS + 1).tolist()
    for step, (before, after) in enumerate(itertools.pairwise(levels)):
        noise = network(x, torch.full((len(x),), 990 - 99 * step, device=x.device))
        clean = (x - (1 - before) ** 0.5 * noise) / before**0.5
        x = after**0.5 * clean.clamp(-1, 1) + (1 - after) ** 0.5 * noise
    return x


def scored(way: Callable[[np.ndarray, np.ndarray], None]) -> Callable[[], object]:
    brain = evaluation.head(SHAPE)
    taken, predicted = evaluation.sample("test", 1, brain)
    scores, reference = predicted.anomaly_map[brain].astype(np.float16), taken.lesion[brain]
    return lambda: way(scores, reference)


def found_components(ours: bool) -> Callable[[], object]:
    """Return the search for components of a map at a high threshold, without the small ones."""
    brain = evaluation.head(SHAPE)
    scores = evaluation.sample("test", 1, brain)[1].anomaly_map
    mask = scores > np.quantile(scores[brain], 0.98)

    def by_scipy() -> np.ndarray:
        labels, number = ndimage.label(mask, np.ones((3, 3, 3)))
        sizes = ndimage.sum(mask, labels, range(1, number + 1))
        return np.isin(labels, 1 + np.flatnonzero(sizes >= 5))

    return (lambda: components(mask).at_least(5)) if ours else by_scipy


def head() -> Volume:
    """Return the brain of the template at 2 mm in another pose and under a bias field."""
    template = template_on_grid(2.0).t1w
    row = np.linspace(-1, 1, template.array.shape[0])[:, None, None]
    moved = np.array([[0.98, 0.1, 0, 4], [-0.1, 1.02, 0, -3], [0, 0, 1, 5], [0, 0, 0, 1]]) @ template.affine
    return Volume((template.array * (1 + 0.3 * row)).astype(np.float32), moved)


def ants_bias_field() -> Callable[[], object]:
    image = ants_images.to_ants(head())
    return lambda: ants.n4_bias_field_correction(image)


def ants_registration() -> Callable[[], object]:
    fixed, moving = ants_images.to_ants(template_on_grid(2.0).t1w), ants_images.to_ants(head())
    return lambda: ants.registration(fixed, moving, "Affine")


def own_bias_field() -> Callable[[], object]:
    image = head()
    return lambda: bias_field.estimate(image)


def own_registration() -> Callable[[], object]:
    image = head()
    return lambda: registration.register(image, template_on_grid(2.0))


OTHER_TASKS: dict[tuple[str, str], Callable[[], Callable[[], object]]] = {
    ("score volume", "madad"): lambda: scored(evaluation.counted),
    ("score volume", "peer"): lambda: scored(evaluation.naive),
    ("components", "madad"): lambda: found_components(True),
    ("components", "peer"): lambda: found_components(False),
    ("bias field", "madad"): own_bias_field,
    ("bias field", "peer"): ants_bias_field,
    ("registration", "madad"): own_registration,
    ("registration", "peer"): ants_registration,
}
