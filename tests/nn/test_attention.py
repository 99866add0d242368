"""Attention and transformers: against PyTorch to second order, against a sum by hand, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError, UnknownNameError

RANDOM = np.random.default_rng(0)
QUERY, KEY, VALUE = RANDOM.normal(size=(4, 2, 6)), RANDOM.normal(size=(5, 2, 6)), RANDOM.normal(size=(5, 2, 6))
PADDING = np.array([[False, False, True, False, True], [False, False, False, False, True]])
CLOSED = np.triu(np.ones((4, 5), bool), 2)
ADDED = RANDOM.normal(size=(4, 4, 5))
Options = dict[str, Any]


def pair(name: str, arguments: tuple[Any, ...], options: Options) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    ours = getattr(nn, name)(*arguments, **options).double()
    theirs = getattr(torch.nn, name)(*arguments, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    random = np.random.default_rng(3)
    state = {key: random.normal(size=each.shape) * 0.5 for key, each in ours.state_dict().items()}
    ours.load_state_dict(state)
    theirs.load_state_dict({key: torch.tensor(each) for key, each in state.items()})
    return ours, theirs


def agree(ours: Any, theirs: Any, arrays: list[np.ndarray], run: Any) -> None:
    """Values, gradients of everything, and gradients of the square of these."""
    torch = pytest.importorskip("torch")
    x = [cr.tensor(each, requires_grad=True) for each in arrays]
    tx = [torch.tensor(each, requires_grad=True) for each in arrays]
    y = run(ours, cr.tensor, *x)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the others lack second derivatives
        ty = run(theirs, torch.tensor, *tx)
    for mine, other in zip(y, ty, strict=True):
        if other is None:
            assert mine is None
            continue
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-9, atol=1e-10)
    loss, other_loss = sum(cr.sum(cr.sin(each)) for each in y if each is not None), sum(
        torch.sin(each).sum() for each in ty if each is not None
    )  # fmt: skip
    leaves, others = [*x, *ours.parameters()], [*tx, *theirs.parameters()]
    loss.backward(create_graph=True)
    gradients = torch.autograd.grad(other_loss, others, create_graph=True, allow_unused=True)
    second: Any = 0.0
    for mine, other in zip(leaves, gradients, strict=True):
        if other is not None:
            np.testing.assert_allclose(mine.grad.numpy(), other.detach().numpy(), rtol=1e-8, atol=1e-9)
            second = second + cr.sum(mine.grad * mine.grad)
    for each in leaves:
        each.grad = None
    second.backward()
    total = sum((each * each).sum() for each in gradients if each is not None)
    for mine, other in zip(leaves, torch.autograd.grad(total, others, allow_unused=True), strict=True):
        if other is not None:
            np.testing.assert_allclose(mine.grad.numpy(), other.numpy(), rtol=1e-7, atol=1e-8)


ATTENTION: list[tuple[Options, Options]] = [
    ({}, {}),
    ({"bias": False}, {"need_weights": False}),
    ({"kdim": 6, "vdim": 6}, {"key_padding_mask": PADDING}),
    ({"add_bias_kv": True, "add_zero_attn": True}, {"attn_mask": CLOSED, "key_padding_mask": PADDING}),
    ({}, {"attn_mask": ADDED, "average_attn_weights": False}),
    ({"batch_first": True}, {"attn_mask": CLOSED, "need_weights": False}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("options", "masks"), ATTENTION)
def test_attention_is_pytorchs_to_second_order(options: Options, masks: Options) -> None:
    ours, theirs = pair("MultiheadAttention", (6, 2), options)
    arrays = [each.swapaxes(0, 1) if options.get("batch_first") else each for each in (QUERY, KEY, VALUE)]

    def run(layer: Any, make: Any, *inputs: Any) -> Any:
        return layer(
            *inputs, **{key: make(each) if isinstance(each, np.ndarray) else each for key, each in masks.items()}
        )

    agree(ours, theirs, arrays, run)


@pytest.mark.oracle
def test_keys_and_values_of_other_widths_without_batch() -> None:
    ours, theirs = pair("MultiheadAttention", (6, 3), {"kdim": 4, "vdim": 3})
    arrays = [QUERY[:, 0], KEY[:, 0, :4], VALUE[:, 0, :3]]
    agree(ours, theirs, arrays, lambda layer, make, *inputs: layer(*inputs))


def test_attention_is_the_sum_by_hand() -> None:
    """Each head: softmax of scaled products of projected rows, times projected values, then the last projection."""
    layer = nn.MultiheadAttention(6, 2).double()
    state = {key: np.asarray(each) for key, each in layer.state_dict().items()}
    weights, bias = np.split(state["in_proj_weight"], 3), np.split(state["in_proj_bias"], 3)
    out = np.zeros_like(QUERY)
    for b in range(2):
        q, k, v = (each[:, b] @ w.T + c for each, w, c in zip((QUERY, KEY, VALUE), weights, bias))
        for head in (slice(0, 3), slice(3, 6)):
            scores = np.exp(q[:, head] @ k[:, head].T / np.sqrt(3))
            out[:, b, head] = scores / scores.sum(1, keepdims=True) @ v[:, head]
    expected = out @ state["out_proj.weight"].T + state["out_proj.bias"]
    np.testing.assert_allclose(layer(QUERY, KEY, VALUE)[0].numpy(), expected, rtol=1e-12)


def test_causal_attention_does_not_see_what_is_later() -> None:
    layer = nn.MultiheadAttention(6, 2).double()
    later = KEY.copy()
    later[3:] += 1.0
    first, second = (layer(each, each, each, is_causal=True, need_weights=False)[0].numpy() for each in (KEY, later))
    np.testing.assert_array_equal(first[:3], second[:3])
    assert (first[3:] != second[3:]).all()
    mask = nn.Transformer.generate_square_subsequent_mask(len(KEY))
    np.testing.assert_allclose(layer(KEY, KEY, KEY, attn_mask=mask)[0].numpy(), first, rtol=1e-12)


TRANSFORMERS: list[tuple[str, Options]] = [
    ("TransformerEncoderLayer", {}),
    ("TransformerEncoderLayer", {"norm_first": True, "activation": "gelu", "bias": False, "batch_first": True}),
    ("TransformerDecoderLayer", {}),
    ("TransformerDecoderLayer", {"norm_first": True, "activation": "gelu"}),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "options"), TRANSFORMERS)
def test_transformer_layers_are_pytorchs(name: str, options: Options) -> None:
    ours, theirs = pair(name, (6, 2, 7), {"dropout": 0.0, **options})

    def run(layer: Any, make: Any, target: Any, memory: Any) -> Any:
        if "Encoder" in name:
            mask = make(np.triu(np.ones((target.shape[1 if options.get("batch_first") else 0],) * 2, bool), 1))
            return (layer(target, src_mask=mask),)
        return (layer(target, memory, memory_mask=make(CLOSED), memory_key_padding_mask=make(PADDING)),)

    agree(ours, theirs, [QUERY, KEY], run)


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_whole_transformer_is_pytorchs(batch_first: bool) -> None:
    ours, theirs = pair("Transformer", (6, 2, 2, 1, 5), {"dropout": 0.0, "batch_first": batch_first})
    arrays = [each.swapaxes(0, 1) if batch_first else each for each in (KEY, QUERY)]
    agree(ours, theirs, arrays, lambda layer, make, source, target: (layer(source, target),))


@pytest.mark.parametrize(("name", "options"), TRANSFORMERS)
def test_gradients_compiled_are_central_differences(name: str, options: Options) -> None:
    layer = getattr(nn, name)(6, 2, 7, dropout=0.0, **{**options, "activation": "gelu"}).double()
    inputs = (QUERY,) if "Encoder" in name else (QUERY, KEY)

    def loss(layer: Any, *x: Any) -> Any:
        return cr.sum(cr.sin(layer(*x)))

    report = cr.check_gradients(loss, (layer, *inputs), order=2, eps=1e-3, directions=2)
    assert report.max_relative_error < 1e-6
    second = cr.grad(lambda x, *rest: cr.sum(cr.grad(lambda y: loss(layer, y, *rest))(x) ** 2))
    np.testing.assert_allclose(cr.compile(second)(*inputs).numpy(), second(*inputs).numpy(), rtol=1e-8, atol=1e-9)


def test_copies_of_a_layer_are_trained_apart() -> None:
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 7), 2, nn.LayerNorm(6))
    assert len({id(each) for each in model.parameters()}) == len(list(model.parameters())) == 2 * 12 + 2
    np.testing.assert_array_equal(*(layer.linear1.weight.numpy() for layer in model.layers))


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: nn.MultiheadAttention(6, 4), ConfigurationError, "divide"),
    (lambda: nn.MultiheadAttention(6, 2)(QUERY, KEY[:4], VALUE), ShapeError, "takes queries"),
    (lambda: nn.MultiheadAttention(6, 2).double()(QUERY, KEY, VALUE, attn_mask=CLOSED.T), ShapeError, "attn_mask"),
    (lambda: nn.TransformerEncoderLayer(6, 2, activation="tanhh"), UnknownNameError, "relu"),
    (lambda: nn.Transformer(6, 2, 1, 1)(QUERY[..., :5], KEY), ShapeError, "6 features"),
]


@pytest.mark.parametrize(("make", "kind", "says"), BAD)
def test_what_does_not_fit_is_named(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()
