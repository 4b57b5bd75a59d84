"""Losses of the steps of a training, which stay on the device until somebody asks for them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from madad.engine.divergence import check_loss

# Steps after which losses are read, at the latest. The host waits for the device there, and only there.
READ_EVERY = 50
# A loss that starts at 0 is compared with this.
LEAST = 1e-6


class StepLosses:
    """The losses since the last validation.

    Attributes:
        values: those that were read.
        start: size of the first loss of the training.
    """

    def __init__(self, options: dict) -> None:
        """Begin without a loss.

        Args:
            options: training options, for the remedy where a training diverges.
        """
        self.values: list[float] = []
        self.start = 0.0
        self._options = options
        self._unread: list[tuple[int, Tensor]] = []

    def add(self, step: int, loss: Tensor) -> None:
        """Keep the loss of a step; read all of them if there are many."""
        self._unread.append((step, loss.detach()))
        if len(self._unread) >= READ_EVERY:
            self.read()

    def read(self) -> None:
        """Wait for the device and check the losses that were not read.

        Raises:
            UserError: one of them is not finite; the message names its step.
        """
        if not self._unread:
            return
        steps, losses = zip(*self._unread, strict=True)
        self._unread = []
        for step, value in zip(steps, torch.stack(losses).tolist(), strict=True):
            check_loss(value, "loss", step, self._options)
            self.start = self.start or max(abs(value), LEAST)
            self.values.append(value)

    def mean(self, step: int) -> float:
        """Return the mean of the losses, and forget them; NaN before the first step.

        Args:
            step: number of the training step.

        Raises:
            UserError: the mean is far above the first loss.
        """
        self.read()
        if not self.values:
            return math.nan
        mean = math.fsum(self.values) / len(self.values)
        check_loss(mean, "mean loss", step, self._options, self.start)
        self.values = []
        return mean
