"""Helpers around networks, as in `torch.nn.utils`: sequences of any lengths, weights that are computed."""

from . import parametrizations, parametrize, rnn

__all__ = ["parametrizations", "parametrize", "rnn"]
