"""Sparse inputs: their rows are made dense as a batch is made, so that memory holds the dense form of one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray
from scipy.sparse import issparse

from ...ir.types import NumpyArray


class SparseRows:
    """A source for a Loader: the rows of a sparse matrix, with what belongs to each (targets, weights)."""

    def __init__(self, matrix: Any, others: tuple[NumpyArray, ...]) -> None:
        self.matrix, self.others = matrix, others
        self.length: int | None = matrix.shape[0]

    def read(self, start: int) -> Iterator[tuple[NumpyArray, ...]]:
        """The rows from number `start` on."""
        return (self.at(place) for place in range(start, self.length or 0))

    def at(self, place: int) -> tuple[NumpyArray, ...]:
        """One row."""
        return (dense(self.matrix[[place]])[0], *(each[place] for each in self.others))

    def gather(self, places: NDArray[Any]) -> tuple[NumpyArray, ...]:
        """Many rows at once."""
        return (dense(self.matrix[places]), *(each[places] for each in self.others))


def dense(given: Any) -> NumpyArray:
    """A sparse matrix as an array; any other as it is."""
    found: NumpyArray = given.toarray() if issparse(given) else given
    return found
