"""Stand-ins for the trained parts of latent methods, whose answers are known."""

from __future__ import annotations

import torch
from torch.nn import functional

POOL = {2: functional.avg_pool2d, 3: functional.avg_pool3d}


class Cells(torch.nn.Module):
    """An autoencoder that keeps the mean of every cell of voxels: three channels of 4 x - 2, so that nothing is learnt."""

    def __init__(self, spatial_dims: int = 2, downsampling: int = 2) -> None:
        super().__init__()
        self.spatial_dims, self.downsampling, self.latent_channels = spatial_dims, downsampling, 3
        self.seen: list[int] = []

    def encode(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.append(len(images))
        mean = 4 * POOL[self.spatial_dims](images, self.downsampling).repeat_interleave(3, dim=1) - 2
        return mean, torch.ones_like(mean)

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return functional.interpolate((latents.mean(dim=1, keepdim=True) + 2) / 4, scale_factor=self.downsampling)


class Spy(torch.nn.Module):
    """Stands in for a U-Net: keeps what it is shown and answers with a constant, for noise and variance alike."""

    def __init__(self, answer: float = 0.0) -> None:
        super().__init__()
        self.answer, self.seen = answer, []

    def forward(self, z_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        self.seen.append((z_t, t, condition))
        return torch.full((len(z_t), 6, *z_t.shape[2:]), self.answer)


class Oracle(torch.nn.Module):
    """Stands in for a U-Net that knows the latents to walk back to."""

    def __init__(self, z_0: torch.Tensor, alphas_cumprod: object) -> None:
        super().__init__()
        self.z_0, self.table = z_0, torch.tensor(alphas_cumprod)

    def forward(self, z_t: torch.Tensor, t: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        z_t, alpha_bar = z_t[:, :3], self.table[t].to(z_t).view(-1, *[1] * (z_t.ndim - 1))
        return torch.cat([(z_t - alpha_bar.sqrt() * self.z_0) / (1 - alpha_bar).sqrt(), torch.zeros_like(z_t)], dim=1)


def pair(*shape: int) -> dict[str, torch.Tensor]:
    """Return a batch of healthy images (shape (B, 1, …)) with a dark lesion in a corner of each."""
    healthy = 0.25 + 0.5 * torch.rand(shape, generator=torch.Generator().manual_seed(1))
    lesion = torch.zeros(shape, dtype=torch.bool)
    lesion[..., :4, :4] = True
    brain = torch.ones_like(lesion)
    return {"image": healthy * ~lesion, "healthy": healthy, "lesion": lesion, "map": lesion.float(), "brain": brain}
