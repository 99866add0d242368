"""Attention of several heads."""

from __future__ import annotations

import math
from typing import Any

from .. import functions as f
from ..errors import ConfigurationError, ShapeError
from ..tensor import Parameter, Tensor, asarray
from . import functional, init
from .functional.attention import attend
from .functional.dropout import check_probability
from .linear import Linear
from .module import Module


class MultiheadAttention(Module):
    """Attention in `num_heads` parts (Vaswani et al. 2017, 3.2.2), PyTorch's arguments, names and masks.

    query (queries, batch, embed_dim), key (keys, batch, kdim), value (keys, batch, vdim), with batch_first the batch
    first, or without a batch. Gives (output like query, weights (batch, queries, keys)); weights are None without
    need_weights, and one for each head without average_attn_weights.

    Masks as in PyTorch, the other way round than in `scaled_dot_product_attention`: bools that are true where *not* to
    look, or numbers that are added to the scores. key_padding_mask (batch, keys); attn_mask (queries, keys) or
    (batch · num_heads, queries, keys). is_causal: no later key is seen; needs no attn_mask here.
    Raises ConfigurationError where num_heads does not divide embed_dim, ShapeError where shapes don't fit.

    >>> from chainrule import nn
    >>> output, weights = nn.MultiheadAttention(8, 2, batch_first=True)(*[f.ones((3, 5, 8))] * 3)
    >>> output.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ConfigurationError(f"num_heads must divide embed_dim, but they are {num_heads} and {embed_dim}")
        self.embed_dim, self.num_heads, self.batch_first = embed_dim, num_heads, batch_first
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.dropout, self.add_zero_attn = check_probability(type(self).__name__, dropout), add_zero_attn
        self._make(bias, add_bias_kv, dtype)
        self.reset_parameters()

    def _make(self, bias: bool, add_bias_kv: bool, dtype: Any) -> None:
        width = self.embed_dim
        self._together = self.kdim == self.vdim == width
        if self._together:
            self.in_proj_weight: Parameter = init.empty((3 * width, width), dtype)
        else:
            self.q_proj_weight: Parameter = init.empty((width, width), dtype)
            self.k_proj_weight: Parameter = init.empty((width, self.kdim), dtype)
            self.v_proj_weight: Parameter = init.empty((width, self.vdim), dtype)
        self.in_proj_bias: Parameter | None = init.empty((3 * width,), dtype) if bias else None
        self.bias_k: Parameter | None = init.empty((1, 1, width), dtype) if add_bias_kv else None
        self.bias_v: Parameter | None = init.empty((1, 1, width), dtype) if add_bias_kv else None
        self.out_proj = Linear(width, width, bias, dtype)

    def reset_parameters(self) -> None:
        """Draw the weights anew: Glorot's uniform for the projections of inputs, biases 0."""
        self.out_proj.reset_parameters()
        for weight in self._projections() if not self._together else [self.in_proj_weight]:
            init.xavier_uniform_(weight)
        for zero in (self.in_proj_bias, self.out_proj.bias):
            if zero is not None:
                init.zeros_(zero)
        for each in (self.bias_k, self.bias_v):
            if each is not None:
                init.xavier_normal_(each)

    def _projections(self) -> list[Any]:
        if self._together:
            return list(f.split(self.in_proj_weight, self.embed_dim))
        return [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        given = [asarray(each) for each in (query, key, value)]
        single = given[0].ndim == 2
        self._check(given)
        q, k, v = (self._batch_first(each) for each in given)  # (batch, time, width)
        if single and key_padding_mask is not None:
            key_padding_mask = f.expand_dims(asarray(key_padding_mask), 0)
        biases = [None] * 3 if self.in_proj_bias is None else f.split(self.in_proj_bias, self.embed_dim)
        q, k, v = (
            functional.linear(each, weight, bias) for each, weight, bias in zip((q, k, v), self._projections(), biases)
        )
        k, v, extra = self._extended(k, v)
        heads = [self._heads(each) for each in (q, k, v)]  # (batch, heads, time, width of a head)
        only_causal = is_causal and attn_mask is None and not extra and not need_weights
        masked = is_causal and not only_causal
        mask = self._mask(attn_mask, key_padding_mask, masked, heads[0].shape, heads[1].shape[2], extra)
        output, weights = self._attend(heads, mask, only_causal, need_weights)
        merged = f.reshape(f.permute_dims(output, (0, 2, 1, 3)), q.shape)  # (batch, queries, width)
        result = self._as_given(self.out_proj(merged), single)
        if weights is None:
            return result, None
        shown = f.mean(weights, axis=1) if average_attn_weights else weights
        return result, f.squeeze(shown, 0) if single else shown

    def _check(self, given: list[Tensor]) -> None:
        query, key, value = given
        widths = (self.embed_dim, self.kdim, self.vdim)
        fits = all(each.ndim == query.ndim and each.shape[-1] == width for each, width in zip(given, widths))
        if query.ndim not in (2, 3) or not fits or key.shape[:-1] != value.shape[:-1]:
            raise ShapeError(
                f"{type(self).__name__} takes queries, keys and values with {widths} features on 2 or 3 axes, "
                f"but was given {query.shape}, {key.shape}, {value.shape}"
            )

    def _batch_first(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return asarray(f.expand_dims(x, 0))
        swapped: Tensor = x if self.batch_first else f.swapaxes(x, 0, 1)
        return swapped

    def _as_given(self, y: Tensor, single: bool) -> Tensor:
        if single:
            return asarray(f.squeeze(y, 0))
        swapped: Tensor = y if self.batch_first else f.swapaxes(y, 0, 1)
        return swapped

    def _extended(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, int]:
        """Keys and values with those that the layer adds, and how many these are."""
        added: list[tuple[Any, Any]] = [] if self.bias_k is None else [(self.bias_k, self.bias_v)]
        if self.add_zero_attn:
            zeros = f.zeros((1, 1, self.embed_dim), k.dtype)
            added.append((zeros, zeros))
        for key, value in added:
            k, v = (f.concat([old, f.broadcast_to(new, (old.shape[0], 1, self.embed_dim))], 1)
                    for old, new in ((k, key), (v, value)))  # fmt: skip
        return k, v, len(added)

    def _heads(self, x: Tensor) -> Tensor:
        parts = f.reshape(x, (*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads))
        heads: Tensor = f.permute_dims(parts, (0, 2, 1, 3))
        return heads

    def _mask(
        self, attn_mask: Any, padding: Any, is_causal: bool, queries: tuple[int, ...], keys: int, extra: int
    ) -> Any:
        """What is added to the scores: numbers that broadcast to (batch, heads, queries, keys), or None."""
        batch, heads, time, _ = queries
        known, parts = keys - extra, []
        if attn_mask is not None:
            mask = asarray(attn_mask)
            if mask.ndim == 3:
                mask = f.reshape(mask, (batch, heads, *mask.shape[1:]))
            parts.append(_fitting("attn_mask", mask, (time, known)))
        elif is_causal:
            parts.append(f.logical_not(f.tril(f.ones((time, known), "bool"))))
        if padding is not None:
            mask = _fitting("key_padding_mask", asarray(padding), (batch, known))
            parts.append(f.reshape(mask, (batch, 1, 1, known)))
        total: Any = None
        for part in parts:
            numbers = f.where(part, -math.inf, 0.0) if part.dtype.kind == "b" else part
            total = numbers if total is None else total + numbers
        if total is None or not extra:
            return total
        return f.pad(total, [*[(0, 0)] * (total.ndim - 1), (0, extra)])

    def _attend(
        self, heads: list[Tensor], mask: Any, is_causal: bool, need_weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        q, k, v = heads
        mask = None if mask is None else f.astype(mask, q.dtype)
        rate = self.dropout if self.training else 0.0
        if not need_weights:
            return attend(q, k, v, mask, rate, is_causal), None
        scores = f.matmul(q, f.matrix_transpose(k)) * (1 / math.sqrt(q.shape[-1]))
        weights = functional.dropout(f.softmax(scores if mask is None else scores + mask, -1), rate)
        return f.matmul(weights, v), weights


def _fitting(name: str, mask: Tensor, shape: tuple[int, ...]) -> Tensor:
    if mask.shape[-len(shape) :] != shape:
        raise ShapeError(f"{name} needs {shape} as its last axes here, but was given {mask.shape}")
    return mask
