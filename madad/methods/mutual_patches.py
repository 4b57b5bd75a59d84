"""Comparison of patches with the same place in several healthy brains: a vote of subjects, without training.

Inductive form, ours, of the mutual scoring of Li et al. 2024 (MuSc, ICLR), which Le-Gia & Ahn 2026 (arXiv 2602.15315) carry
over to 3D brain MRI: there the others are the unlabelled subjects of the test set, here healthy ones.

1. `fit` keeps the tokens of some healthy brains: cubes of 4 x 4 x 4 voxels, or features of an encoder, one vector a cell.
2. d_j(v): distance of a cell's token to the nearest of reference j within some cells of the same place.
3. A(v): mean of the K smallest d_j(v), K = 30 % of the references. What is normal has a close match in many of them.
4. Mean over tokens as they are and averaged over their neighbours; enlarged to the grid; 0 outside the brain.

Deviations from the paper: see `deviations` in the card.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from madad.core.errors import UserError
from madad.core.interfaces import Batch
from madad.models.networks.perceptual import Perception
from madad.models.networks.tokens import WINDOWS, Tokens, averaged, brain_tokens
from madad.models.untrained import Untrained

SMALLEST_SD = 1e-3  # relative to the largest of the numbers of a token


class MutualPatches(Untrained):
    """Tokens of healthy brains; hyper-parameters as in the card.

    Attributes:
        bank: (R, D, s h w) tokens of the references, in healthy standard deviations; sized by `fit`.
        sd: (D,) of the numbers of a token in healthy brains.
        cells: (R, s, h, w) which of them are of the brain.
    """

    bank: Tensor
    sd: Tensor
    cells: Tensor

    def __init__(
        self, *, encoder: Perception | None, references: int, share: float, window: int, calibrated: bool, slices_per_pass: int
    ) -> None:
        super().__init__()
        self.tokens = Tokens(encoder, slices_per_pass)
        self.references, self.share, self.window, self.calibrated = references, share, window, calibrated
        self.register_buffer("bank", torch.empty(0, 0, 0))
        self.register_buffer("sd", torch.empty(0))
        self.register_buffer("cells", torch.empty(0, 0, 0, 0, dtype=torch.bool))
        self.usual: tuple[Tensor, Tensor] | None = None  # made at first use, since it depends on settings of inference

    def fit(self, data: Iterable[Batch], generator: torch.Generator) -> None:
        """Keep the tokens of some healthy volumes (1, 1, S, H, W), spread evenly over the pack."""
        count = sum(1 for _ in data)
        chosen = set(torch.linspace(0, count - 1, min(self.references, count)).round().long().tolist())
        kept = [batch for index, batch in enumerate(data) if index in chosen]
        bank = torch.stack([self.tokens(batch["image"][0].transpose(0, 1)) for batch in kept])
        self.cells = torch.stack([brain_tokens(batch["brain"][0, 0]) for batch in kept])
        sd = bank.movedim(1, -1)[self.cells].std(dim=0)
        self.sd = sd.clamp_min(SMALLEST_SD * float(sd.max())) if sd.max() > 0 else torch.ones_like(sd)
        self.bank = (bank / self.sd.view(1, -1, 1, 1, 1)).flatten(2)
        self.usual = None

    def reconstruct(self, volume: Tensor, generator: torch.Generator) -> None:
        """Return None: patches are compared, and there is no pseudo-healthy volume."""

    def anomaly_map(self, volume: Tensor, reconstruction: Tensor | None, brain: Tensor, generator: torch.Generator) -> Tensor:
        """Return the enlarged scores in the brain (S, H, W).

        Raises:
            UserError: the volume is not on the grid of the references.
        """
        tokens = self.tokens(volume) / self.sd.view(-1, 1, 1, 1)
        if tokens.shape[1:] != self.cells.shape[1:]:
            raise UserError(
                f"mutual_patches: a volume of {' x '.join(map(str, brain.shape))} voxels, but the healthy brains are on another "
                "grid; give the test set the pipeline of the training cohort"
            )
        score = self.score(tokens, self._references())
        if self.calibrated:
            mean, sd = self._usual()
            score = ((score - mean) / sd).clamp_min(0)
        score = torch.where(brain_tokens(brain), score, 0)
        return self.tokens.enlarged(score, brain.shape) * brain

    def score(self, tokens: Tensor, bank: Tensor) -> Tensor:
        """Return A (s, h, w) of tokens (D, s, h, w) against a bank (R, D, s, h, w)."""
        number = max(1, int(self.share * len(bank)))
        maps = []
        for window in WINDOWS:
            distances = matched(averaged(tokens[None], window)[0], averaged(bank, window), self.window)
            maps.append(distances.topk(number, dim=0, largest=False).values.mean(dim=0))
        return torch.stack(maps).mean(dim=0)

    def _references(self) -> Tensor:
        return self.bank.unflatten(2, self.cells.shape[1:])

    def _usual(self) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation (s, h, w) of the scores of each reference against all others."""
        if self.usual is None:
            if len(self.bank) < 3:
                raise UserError("mutual_patches.parameters.calibrated: needs three references; raise mutual_patches.references")
            bank = self._references()
            others = [torch.cat([bank[:index], bank[index + 1 :]]) for index in range(len(bank))]
            scores = torch.stack([self.score(one, rest) for one, rest in zip(bank, others, strict=True)])
            self.usual = scores.mean(dim=0), scores.std(dim=0) + scores[self.cells].mean() / 10
        return self.usual


def matched(tokens: Tensor, bank: Tensor, window: int) -> Tensor:
    """Return the distance of every token (D, s, h, w) to the nearest of each reference (R, D, s, h, w), (R, s, h, w).

    Args:
        window: how many cells away along each axis; -1 for everywhere.
    """
    if window < 0:
        rows = [torch.cdist(tokens.flatten(1).T, one.flatten(1).T, compute_mode="donot_use_mm_for_euclid_dist") for one in bank]
        return torch.stack([row.amin(dim=1) for row in rows]).unflatten(1, tokens.shape[1:])
    sides = tokens.shape[1:]
    reaches = [min(window, side - 1) for side in sides]
    padding = [reach for reach in reversed(reaches) for _ in range(2)]
    padded = functional.pad(bank, padding, value=torch.inf)
    smallest = torch.full((len(bank), *sides), torch.inf, dtype=tokens.dtype, device=tokens.device)
    for s, h, w in product(*(range(2 * reach + 1) for reach in reaches)):
        shifted = padded[:, :, s : s + sides[0], h : h + sides[1], w : w + sides[2]]
        smallest = torch.minimum(smallest, (tokens - shifted).square().sum(dim=1))
    return smallest.sqrt()
