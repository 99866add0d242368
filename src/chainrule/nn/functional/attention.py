"""Attention as a function: at once where the scores are few, else over blocks of queries.

The scores of T queries and S keys are T · S numbers for each head. Where that is much, heads are gone through one after
another, and the queries of a head block by block; each block is computed again for the gradient (`checkpoint`), so that
nothing as long as T · S is ever kept: memory grows with T + S. A block has its whole rows of scores, so that softmax
is the same as at once, and derivatives of any order come by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ... import functions as f
from ... import random
from ...control import scan
from ...errors import ConfigurationError
from ...ops.triangle import lower_product
from ...recompute import checkpoint
from ...records import dataclass
from ...tensor import Tensor, asarray, lifted
from .dropout import check_probability, dropout, dropped

_lower_product = lifted(lower_product)
AT_ONCE = 4 << 20
"""Bytes of scores up to which all are computed at once, and kept for the gradient."""
BLOCK_BYTES = 1 << 20
"""Scores of a block: they and what is made of them should stay in a near cache."""
FEWEST_ROWS, MOST_ROWS, STEP = 64, 128, 16
"""Queries in a block."""
SEGMENTS = 4
"""Causal: so many runs of blocks, each with the keys that its last query sees: five eighths of the work."""


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
) -> Tensor:
    """softmax(Q Kᵀ / √width + mask) V (Vaswani et al. 2017): (..., queries, width), (..., keys, width) twice.

    attn_mask: bools (true takes part) or numbers that are added; is_causal: a query sees no later key.
    dropout_p: how likely a weight of the attention is dropped; give 0 in evaluation.
    Compiled, the memory of long sequences grows with their length, not with its square.
    """
    if is_causal and attn_mask is not None:
        raise ConfigurationError(
            "attention takes attn_mask or is_causal=True, not both; put the causal part in the mask"
        )
    return attend(query, key, value, attn_mask, dropout_p, is_causal, scale)


def attend(
    query: Any, key: Any, value: Any, mask: Any, rate: float, is_causal: bool, scale: float | None = None
) -> Tensor:
    """The same, and a mask may come with is_causal."""
    q, k, v = asarray(query), asarray(key), asarray(value)
    rule = _Rule(
        is_causal, check_probability("attention", rate), 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    )
    mask = None if mask is None else asarray(mask)
    leading = _leading(q, k, v, mask)
    if leading is None or math.prod(leading) * q.shape[-2] * k.shape[-2] * q.dtype.itemsize <= AT_ONCE:
        weights = dropout(f.softmax(rule.scores(q, k, mask, 0), -1), rate)
        return rule.product(weights, v, "left", 0)
    blocks = _Blocks(rule, _rows(q.shape[-2], k.shape[-2] * q.dtype.itemsize), q.shape[-2], k.shape[-2])
    states = random.states((*leading, blocks.count)) if 0 < rate < 1 else None
    given = [None if each is None else _widened(each, len(leading)) for each in (q, k, v, mask, states)]
    return _each_head(blocks, leading, given)


def _leading(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[int, ...] | None:
    """The axes of examples and heads; None where shapes don't fit: computing at once then says what is wrong."""
    shapes = [each.shape[:-2] for each in (q, k, v, *([] if mask is None else [mask]))]
    matrices = min(each.ndim for each in (q, k, v)) >= 2 and q.shape[-1] == k.shape[-1] and k.shape[-2] == v.shape[-2]
    try:
        if mask is not None:
            matrices &= np.broadcast_shapes((q.shape[-2], k.shape[-2]), mask.shape[-2:]) == (q.shape[-2], k.shape[-2])
        return np.broadcast_shapes(*shapes) if matrices else None
    except ValueError:
        return None


def _widened(each: Tensor, leading: int) -> Tensor:
    """With axes of size 1 in front, where there are fewer than those of the heads and two more."""
    missing = leading + 2 - each.ndim
    return asarray(f.reshape(each, (*[1] * missing, *each.shape))) if missing > 0 else each


@dataclass(frozen=True)
class _Rule:
    """What is done with scores."""

    is_causal: bool
    rate: float
    scale: float

    def scores(self, q: Tensor, k: Tensor, mask: Tensor | None, first: Any) -> Tensor:
        """Of queries from number `first` on."""
        scores: Tensor = self.product(q, f.matrix_transpose(k), "result", first) * self.scale
        if self.is_causal:
            queries, keys = f.arange(q.shape[-2]) + first, f.arange(k.shape[-2])
            scores = f.where(f.less_equal(keys, f.expand_dims(queries, 1)), scores, -math.inf)
        if mask is not None:
            scores = f.where(mask, scores, -math.inf) if mask.dtype.kind == "b" else scores + mask
        return scores

    def product(self, left: Tensor, right: Tensor, of: str, first: Any) -> Tensor:
        """left @ right: scores (the result), or weights (the left) times values, zero for keys that are not seen."""
        at_once = self.is_causal and isinstance(first, int) and first == 0
        result: Tensor = _lower_product(left, right, of) if at_once else f.matmul(left, right)
        return result

    def attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, first: Any, state: Tensor | None
    ) -> Tensor:
        """One block of queries. state: where the random numbers of its dropout come from."""
        weights = f.softmax(self.scores(q, k, mask, first), -1)
        if state is not None:
            weights = dropped(weights, self.rate, random.keep_mask_of(state, self.rate, weights.shape))
        result: Tensor = f.matmul(weights if self.rate < 1 else weights * 0.0, v)
        return result


def _rows(queries: int, bytes_of_row: int) -> int:
    """Queries in a block."""
    rows = BLOCK_BYTES // bytes_of_row // STEP * STEP
    return min(queries, max(FEWEST_ROWS, min(MOST_ROWS, rows)))


@dataclass(frozen=True)
class _Blocks:
    """How the queries of one head are cut: blocks of equal length, and the rest."""

    rule: _Rule
    rows: int
    queries: int
    keys: int

    @property
    def whole(self) -> int:
        """Blocks of full length."""
        return self.queries // self.rows

    @property
    def count(self) -> int:
        """All blocks."""
        return -(-self.queries // self.rows)

    def runs(self) -> Iterator[tuple[int, int]]:
        """Blocks from, up to: those that go over the same keys."""
        many = min(SEGMENTS, self.whole) if self.rule.is_causal else 1
        edges = [self.whole * number // many for number in range(many + 1)]
        yield from pairwise(edges)
        if self.count > self.whole:
            yield self.whole, self.count

    def seen(self, stop: int) -> int:
        """Keys that the blocks before `stop` may see."""
        return min(self.keys, stop * self.rows, self.queries) if self.rule.is_causal else self.keys


def _each_head(blocks: _Blocks, leading: Sequence[int], given: Sequence[Tensor | None]) -> Tensor:
    """Over the first axis in front, in its body over the next. given: queries, keys, values, mask, states."""
    if not leading:
        return _one_head(blocks, *given)
    places = [place for place, each in enumerate(given) if each is not None and each.shape[0] > 1]
    alike = [None if each is None or place in places else each[0] for place, each in enumerate(given)]
    if leading[0] == 1:
        return asarray(f.expand_dims(_each_head(blocks, leading[1:], alike), 0))

    def body(carry: Any, slices: Sequence[Tensor]) -> Any:
        own = dict(zip(places, slices))
        return carry, _each_head(blocks, leading[1:], [own.get(place, each) for place, each in enumerate(alike)])

    _, result = scan(body, (), [given[place] for place in places], length=leading[0])
    return asarray(result)


def _one_head(blocks: _Blocks, q: Any, k: Any, v: Any, mask: Any, states: Any) -> Tensor:
    """(queries, width), (keys, width), (keys, width of values): run after run of blocks."""
    parts = []
    for start, stop in blocks.runs():
        seen = blocks.seen(stop)
        keys, values = k[:seen], v[:seen]
        own = None if mask is None else mask if mask.shape[1] == 1 else mask[:, :seen]
        parts.append(_run(blocks, start, stop, q, keys, values, own, states))
    return asarray(f.concat(parts, 0)) if len(parts) > 1 else parts[0]


def _run(
    blocks: _Blocks, start: int, stop: int, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, states: Tensor | None
) -> Tensor:
    """Blocks from `start` up to `stop`, which have the same length."""
    low, high = start * blocks.rows, min(stop * blocks.rows, blocks.queries)
    many, rows = stop - start, (high - low) // (stop - start)
    each_has_own = mask is not None and mask.shape[0] > 1
    xs = [q[low:high], *([mask[low:high]] if mask is not None and each_has_own else [])]
    xs = [f.reshape(each, (many, rows, *each.shape[1:])) for each in xs]
    firsts = f.arange(many) * rows + low
    drawn = [] if states is None else [states[start:stop]]

    def body(carry: Any, slices: Sequence[Any]) -> Any:
        first, queries, *rest = slices
        own = rest.pop(0) if each_has_own else mask

        def block(queries: Tensor, k: Tensor, v: Tensor, own: Any) -> Tensor:
            return blocks.rule.attended(queries, k, v, own, first, rest[0] if rest else None)

        return carry, checkpoint(block)(queries, k, v, own)

    _, result = scan(body, (), [firsts, *xs, *drawn])
    return asarray(f.reshape(result, (high - low, *result.shape[2:])))
