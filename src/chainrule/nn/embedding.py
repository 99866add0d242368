"""A table of vectors, read by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import OutOfRangeError, ShapeError
from ..tensor import Parameter, asarray
from . import functional, init
from .module import Module


class Embedding(Module):
    """Indices of any shape to vectors: (...,) to (..., embedding_dim). The row padding_idx starts at zero and stays so.

    weight (num_embeddings, embedding_dim) starts standard normal, as in PyTorch.
    Raises OutOfRangeError for an index outside 0..num_embeddings-1.
    """

    def __init__(
        self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None, dtype: Any = None
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise OutOfRangeError(f"padding_idx {padding_idx} is not a row of a table of {num_embeddings}")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight: Parameter = init.empty((num_embeddings, embedding_dim), dtype)
        self.reset_parameters()

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A table of given vectors (rows, width), which are not trained unless freeze=False."""
        table = asarray(embeddings)
        if table.ndim != 2:
            raise ShapeError(f"Embedding.from_pretrained takes a matrix (rows, width), but was given {table.shape}")
        layer = cls(table.shape[0], table.shape[1], padding_idx, table.dtype)
        layer.weight = Parameter(table, requires_grad=not freeze)
        return layer

    def reset_parameters(self) -> None:
        """Draw the vectors anew, from the standard normal distribution."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            filled = np.array(self.weight.numpy())
            filled[self.padding_idx] = 0
            self.weight.assign(filled)

    def forward(self, x: Any) -> Any:
        return functional.embedding(x, self.weight, self.padding_idx)

    def extra_repr(self) -> str:
        shown = f"{self.num_embeddings}, {self.embedding_dim}"
        return shown if self.padding_idx is None else f"{shown}, padding_idx={self.padding_idx}"


class EmbeddingBag(Module):
    """Bags of indices to the sum, mean or maximum of their vectors: (bags, indices) to (bags, embedding_dim).

    Or indices one after the other, with offsets (bags,) where each bag begins. mode: "sum", "mean" or "max".
    weight (num_embeddings, embedding_dim) starts standard normal, as in PyTorch.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: str = "mean",
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise OutOfRangeError(f"padding_idx {padding_idx} is not a row of a table of {num_embeddings}")
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        self.include_last_offset = include_last_offset
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        self.weight: Parameter = init.empty((num_embeddings, embedding_dim), dtype)
        init.normal_(self.weight)

    def forward(self, x: Any, offsets: Any = None, per_sample_weights: Any = None) -> Any:
        options = (self.mode, per_sample_weights, self.include_last_offset, self.padding_idx)
        return functional.embedding_bag(x, self.weight, offsets, *options)

    def extra_repr(self) -> str:
        shown = f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}"
        return shown if self.padding_idx is None else f"{shown}, padding_idx={self.padding_idx}"
