"""Means over what is labelled, for training on frames of which some have no forces.

nequip's own metrics leave nan out where they are told to (`ignore_nan`), but are nan themselves where a batch
has no label at all. Those here are 0 then, and add nothing to the gradient.
"""

from __future__ import annotations

import nequip.train
import torch


class _OfLabelled:
    """A mean of nequip that is 0 where nothing was counted."""

    sum: torch.Tensor
    count: torch.Tensor

    def compute(self) -> torch.Tensor:
        return self.sum.div(self.count.clamp(min=1))


class HuberLoss(_OfLabelled, nequip.train.HuberLoss):
    """Huber loss over the labelled components of a batch; 0 where it has none."""


class MeanSquaredError(_OfLabelled, nequip.train.MeanSquaredError):
    """Mean squared error over the labelled components of a batch; 0 where it has none."""


class MeanAbsoluteError(_OfLabelled, nequip.train.MeanAbsoluteError):
    """Mean absolute error over the labelled components of a batch; 0 where it has none."""


class RootMeanSquaredError(_OfLabelled, nequip.train.RootMeanSquaredError):
    """Root of the mean squared error over the labelled components of a batch; 0 where it has none."""

    def compute(self) -> torch.Tensor:
        """The root of the mean."""
        return torch.sqrt(super().compute())
