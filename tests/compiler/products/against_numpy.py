"""Matrix products of many shapes and layouts, compiled, against NumPy in float64: for this processor and others."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import chainrule as cr

SIZES = [
    *[(1, 1, 1), (4, 2, 2), (3, 5, 7), (0, 3, 4), (3, 0, 4), (3, 4, 0), (17, 33, 65), (28, 15, 40), (29, 31, 385)],
    *[(64, 10, 256), (10, 64, 256), (256, 10, 64), (1, 100, 300), (100, 1, 300), (2, 700, 90), (65, 257, 513)],
    *[(128, 96, 400), (33, 1030, 770), (64, 512, 512), (40, 256, 300), (96, 256, 200)],
]
"""Rows, columns, length of the sums: odd, empty, of one, more than one block of each."""


class Case(NamedTuple):
    """A product as a function of two arrays that lie as they are given; the same in NumPy."""

    name: str
    function: Callable[[Any, Any], Any]
    first: np.ndarray[Any, Any]
    second: np.ndarray[Any, Any]


def cases(dtype: str) -> Iterator[Case]:
    """All of them; the numbers are the same each time."""
    random = np.random.default_rng(0)

    def array(*shape: int) -> np.ndarray[Any, Any]:
        return random.standard_normal(shape).astype(dtype)

    for (m, n, k), turn_first, turn_second in itertools.product(SIZES, (False, True), (False, True)):
        first = array(k, m) if turn_first else array(m, k)
        second = array(n, k) if turn_second else array(k, n)
        name = f"{m}x{n}x{k} {'T' if turn_first else 'N'}{'T' if turn_second else 'N'}"
        yield Case(name, _turned(turn_first, turn_second), first, second)
    yield Case("attention", _attention, array(3, 40, 2, 24), array(3, 40, 2, 24))
    yield Case("many of a batch", lambda a, b: a @ b, array(9, 2, 33, 20), array(9, 2, 20, 50))
    yield Case("turned, of a batch", lambda a, b: a @ b.mT, array(10, 30, 70), array(10, 40, 70))
    yield Case("first of all", lambda a, b: a @ b, array(1, 40, 70), array(10, 70, 40))
    yield Case("second of all", lambda a, b: a @ b, array(10, 2, 40, 70), array(2, 70, 40))
    yield Case("every other", lambda a, b: a[:, ::2] @ b[::2, ::3], array(50, 200), array(200, 150))
    yield Case("rows far apart", lambda a, b: a[:, :48] @ b[:48, :70], array(40, 2048), array(64, 4096))
    yield Case("turned and far apart", lambda a, b: a[:70].T @ b[:70, :64], array(80, 2048), array(80, 4096))
    yield Case("more behind it", lambda a, b: (a @ b) * 2.0 + 1.0, array(400, 30), array(30, 350))
    yield Case("backwards", lambda a, b: a[::-1, ::-1] @ b[:, ::-1], array(30, 50), array(50, 40))


def _turned(first: bool, second: bool) -> Callable[[Any, Any], Any]:
    return lambda a, b: (a.T if first else a) @ (b.T if second else b)


def _attention(queries: Any, keys: Any) -> Any:
    """Heads inside of the rows, as they lie in a network: (batch, time, heads, width)."""
    if isinstance(queries, np.ndarray):
        return np.matmul(queries.transpose(0, 2, 1, 3), keys.transpose(0, 2, 3, 1))
    return cr.permute_dims(queries, (0, 2, 1, 3)) @ cr.permute_dims(keys, (0, 2, 3, 1))


def faults(dtype: str, threads: tuple[int, ...] = (1,), step: int = 1) -> list[str]:
    """What is wrong with compiled products: beyond the bound of their rounding, or other bits with more threads.

    step: of so many cases one is looked at; odd, so that each transpose has its turn.
    """
    every = list(cases(dtype))[::step]
    arrays = [(case.first, case.second) for case in every]

    def all_of_them(arrays: Any) -> Any:
        return [case.function(*pair) for case, pair in zip(every, arrays)]

    runs = [cr.compile(all_of_them, threads=count)(arrays) for count in threads]
    return [*filter(None, (_fault(case, [each.numpy() for each in found]) for case, *found in zip(every, *runs)))]


def _fault(case: Case, results: list[np.ndarray[Any, Any]]) -> str:
    wide = case.first.astype(np.float64), case.second.astype(np.float64)
    expected, size = case.function(*wide), case.function(*map(np.abs, wide))
    terms = 2 * (max(case.first.shape) + max(case.second.shape) + 2)
    bound = terms * np.finfo(case.first.dtype).eps * size
    if results[0].shape != expected.shape or not (np.abs(results[0] - expected) <= bound).all():
        return f"{case.name}: not the product"
    if any(result.tobytes() != results[0].tobytes() for result in results):
        return f"{case.name}: the number of threads shows"
    return ""


if __name__ == "__main__":
    from chainrule.compiler.machine import runtime

    cpu, features, width, fma = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "True"
    chosen = runtime.Target(runtime.host().triple, cpu, features, width, fma)
    for module in list(sys.modules.values()):
        if getattr(module, "host", None) is runtime.host:
            module.host = lambda: chosen  # type: ignore[attr-defined]
    print("\n".join([*faults("float32", step=5), *faults("float64", step=9)]))
