"""How many threads NumPy's matrix products use: their number decides the last bits of a large product."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def product_threads(number: int | None) -> Iterator[None]:
    """Inside the block, BLAS uses so many threads; None leaves it alone."""
    if number is None:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=number, user_api="blas"):
        yield
