"""Helpers around networks, as in `torch.nn.utils`: sequences of any lengths, norms of weights and gradients."""

from . import rnn

__all__ = ["rnn"]
