"""Transformers: encoder and decoder layers, and stacks of them."""

from __future__ import annotations

import copy
from typing import Any

from .. import functions as f
from ..errors import ShapeError, unknown_name
from ..tensor import Tensor, asarray
from . import init
from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS: dict[str, Any] = {"relu": f.relu, "gelu": f.gelu}


class _Layer(Module):
    """What encoder and decoder layers share: self-attention, a feed-forward part, normalisation before or after."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = f.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise unknown_name("activation", activation, ACTIVATIONS)
        self._attention_options: dict[str, Any] = {"bias": bias, "batch_first": batch_first, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, **self._attention_options)
        self._other_attention(d_model, nhead, dropout)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        self.norm_first = norm_first
        for number in range(1, self.blocks + 1):
            setattr(self, f"norm{number}", LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype))
        for number in range(1, self.blocks + 1):
            setattr(self, f"dropout{number}", Dropout(dropout))
        self.activation = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    blocks: int

    def _other_attention(self, d_model: int, nhead: int, dropout: float) -> None:
        """Attention to something else, between the two."""

    def _residual(self, number: int, x: Any, block: Any) -> Any:
        """x + dropout(block(x)), normalised before the block or after the sum."""
        norm, dropout = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        return x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))

    def _feed_forward(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _attention(self, x: Any, mask: Any, padding: Any, causal: bool) -> Any:
        return self.self_attn(x, x, x, padding, False, mask, is_causal=causal)[0]


class TransformerEncoderLayer(_Layer):
    """Self-attention and a feed-forward network, each with a residual and layer norm (Vaswani et al. 2017, 3.1).

    src (time, batch, d_model), with batch_first (batch, time, d_model), to the same shape. norm_first: normalise before
    each part instead of after. Masks as in `MultiheadAttention`. activation: "relu", "gelu" or a function.
    """

    blocks = 2

    def forward(
        self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False
    ) -> Tensor:
        x: Any = asarray(src)
        x = self._residual(1, x, lambda x: self._attention(x, src_mask, src_key_padding_mask, is_causal))
        result: Tensor = self._residual(2, x, self._feed_forward)
        return result


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the encoder's output, and a feed-forward network (Vaswani et al. 2017, 3.1).

    tgt (time, batch, d_model) and memory (memory time, batch, d_model) to the shape of tgt; options as for
    `TransformerEncoderLayer`.
    """

    blocks = 3

    def _other_attention(self, d_model: int, nhead: int, dropout: float) -> None:
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout, **self._attention_options)

    def forward(
        self,
        tgt: Any,
        memory: Any,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        def look(x: Any) -> Any:
            other = self.multihead_attn
            return other(x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal)[0]

        x: Any = asarray(tgt)
        x = self._residual(1, x, lambda x: self._attention(x, tgt_mask, tgt_key_padding_mask, tgt_is_causal))
        x = self._residual(2, x, look)
        result: Tensor = self._residual(3, x, self._feed_forward)
        return result


class TransformerEncoder(Module):
    """`num_layers` copies of an encoder layer, one after the other, and a last normalisation where one is given.

    As in PyTorch the copies start with equal weights; draw them anew for a network of your own.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Tensor:
        x: Any = asarray(src)
        for layer in self.layers:
            x = layer(x, mask, src_key_padding_mask, bool(is_causal))
        result: Tensor = x if self.norm is None else self.norm(x)
        return result


class TransformerDecoder(Module):
    """`num_layers` copies of a decoder layer, one after the other, and a last normalisation where one is given."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(self, tgt: Any, memory: Any, **masks: Any) -> Tensor:
        """Masks by name, as in `TransformerDecoderLayer`."""
        x: Any = asarray(tgt)
        for layer in self.layers:
            x = layer(x, memory, **masks)
        result: Tensor = x if self.norm is None else self.norm(x)
        return result


class Transformer(Module):
    """Encoder and decoder (Vaswani et al. 2017), PyTorch's arguments.

    src (source time, batch, d_model) and tgt (target time, batch, d_model) to (target time, batch, d_model), with
    batch_first the batch first. All matrices start with Glorot's uniform distribution.

    >>> from chainrule import nn
    >>> model = nn.Transformer(8, 2, 1, 1, 16)
    >>> model(f.ones((5, 3, 8)), f.ones((4, 3, 8))).shape
    (4, 3, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Any = f.relu,
        *,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias)

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = TransformerEncoder(TransformerEncoderLayer(*options, dtype), num_encoder_layers, norm())
        self.decoder = TransformerDecoder(TransformerDecoderLayer(*options, dtype), num_decoder_layers, norm())
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Any,
        tgt: Any,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        source, target = asarray(src), asarray(tgt)
        if source.shape[-1] != self.d_model or target.shape[-1] != self.d_model:
            raise ShapeError(
                f"Transformer takes inputs with {self.d_model} features, but was given {source.shape}, {target.shape}"
            )
        memory = self.encoder(source, src_mask, src_key_padding_mask, src_is_causal)
        result: Tensor = self.decoder(
            target,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return result

    @staticmethod
    def generate_square_subsequent_mask(sz: int) -> Tensor:
        """(sz, sz) float32: 0 where a query may look, -inf at later keys."""
        mask: Tensor = f.where(f.tril(f.ones((sz, sz), "bool")), 0.0, -f.full((), float("inf")))
        return mask


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])
