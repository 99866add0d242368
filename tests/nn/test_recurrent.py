"""Recurrent layers: against PyTorch to second order, against loops by hand, compiled, of different lengths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import ConfigurationError, ShapeError, TraceError, UnknownNameError
from chainrule.nn.utils import rnn

Options = dict[str, Any]
LAYERS: list[tuple[str, Options]] = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bias": False}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"batch_first": True, "proj_size": 2, "bidirectional": True, "num_layers": 2}),
    ("GRU", {"bidirectional": True}),
    ("GRU", {"num_layers": 3, "batch_first": True, "bias": False}),
]
each_layer = pytest.mark.parametrize(("name", "options"), LAYERS, ids=lambda each: str(each)[:40])
TIME, BATCH, INPUTS, HIDDEN = 5, 3, 4, 3
X = np.random.default_rng(0).normal(size=(TIME, BATCH, INPUTS))


def states_of(layer: Any, seed: int = 1) -> Any:
    """Random first states."""
    random, count = np.random.default_rng(seed), layer.num_layers * (2 if layer.bidirectional else 1)
    hidden = random.normal(size=(count, BATCH, getattr(layer, "proj_size", 0) or HIDDEN))
    return (hidden, random.normal(size=(count, BATCH, HIDDEN))) if isinstance(layer, nn.LSTM) else hidden


def inputs_of(layer: Any) -> np.ndarray:
    return X.swapaxes(0, 1) if layer.batch_first else X


def leaves(nest: Any) -> list[Any]:
    return [leaf for each in nest for leaf in leaves(each)] if isinstance(nest, tuple | list) else [nest]


def weighted(library: Any, outputs: Any) -> Any:
    """One number that depends on every element."""
    total = 0.0
    for number, leaf in enumerate(leaves(outputs)):
        weights = np.random.default_rng(number).normal(size=tuple(leaf.shape))
        total = total + (library.sin(leaf) * (cr.tensor(weights) if library is cr else library.tensor(weights))).sum()
    return total


def pair(name: str, options: Options) -> tuple[Any, Any]:
    torch = pytest.importorskip("torch")
    ours = getattr(nn, name)(INPUTS, HIDDEN, **options).double()
    theirs = getattr(torch.nn, name)(INPUTS, HIDDEN, **options).double()
    assert list(ours.state_dict()) == list(theirs.state_dict()) and repr(ours) == repr(theirs)
    theirs.load_state_dict({key: torch.tensor(np.asarray(each)) for key, each in ours.state_dict().items()})
    return ours, theirs


def close(ours: Any, theirs: Any) -> None:
    for mine, other in zip(leaves(ours), leaves(theirs), strict=True):
        np.testing.assert_allclose(mine.numpy(), other.detach().numpy(), rtol=1e-9, atol=1e-9)


@pytest.mark.oracle
@each_layer
def test_layer_is_pytorchs_to_second_order(name: str, options: Options) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = pair(name, options)
    states, points = states_of(ours), inputs_of(ours)
    x, tx = cr.tensor(points, requires_grad=True), torch.tensor(points, requires_grad=True)
    y = ours(x, states)
    ty = theirs(tx, tuple(map(torch.tensor, states)) if isinstance(states, tuple) else torch.tensor(states))
    close(y, ty)
    mine, others = [x, *ours.parameters()], [tx, *theirs.parameters()]
    weighted(cr, y).backward(create_graph=True)
    gradients = torch.autograd.grad(weighted(torch, ty), others, create_graph=True)
    close([each.grad for each in mine], list(gradients))
    second = sum(cr.sum(each.grad * each.grad) for each in mine)
    for each in mine:
        each.grad = None
    second.backward()
    close([each.grad for each in mine], list(torch.autograd.grad(sum((g * g).sum() for g in gradients), others)))


@pytest.mark.oracle
@each_layer
def test_packed_sequences_are_pytorchs(name: str, options: Options) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = pair(name, options)
    lengths = np.array([2, 5, 3])
    states = states_of(ours)
    there = tuple(map(torch.tensor, states)) if isinstance(states, tuple) else torch.tensor(states)
    mine = rnn.pack_padded_sequence(X, lengths, enforce_sorted=False)
    other = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(X), torch.tensor(lengths), enforce_sorted=False)
    np.testing.assert_array_equal(mine.data.numpy(), other.data.numpy())
    (packed, last), (their_packed, their_last) = ours(mine, states), theirs(other, there)
    close([packed.data, last], [their_packed.data, their_last])
    padded, back = rnn.pad_packed_sequence(packed, padding_value=-1.0, total_length=6)
    their_padded, their_back = torch.nn.utils.rnn.pad_packed_sequence(their_packed, padding_value=-1.0, total_length=6)
    close(padded, their_padded)
    assert back.tolist() == their_back.tolist() == lengths.tolist()


@each_layer
def test_gradients_are_central_differences(name: str, options: Options) -> None:
    layer = getattr(nn, name)(INPUTS, HIDDEN, **options).double()
    if options.get("nonlinearity") == "relu":
        layer.load_state_dict({key: np.abs(np.asarray(each)) + 0.01 for key, each in layer.state_dict().items()})
    short = np.abs(X[:3, :2])
    points = short.swapaxes(0, 1) if layer.batch_first else short
    report = cr.check_gradients(lambda layer, x: layer(x)[0], (layer, points), order=2, eps=1e-3, directions=1)
    assert report.max_relative_error < 1e-6


@each_layer
def test_lengths_are_those_of_each_sequence_alone(name: str, options: Options) -> None:
    layer = getattr(nn, name)(INPUTS, HIDDEN, **options).double()
    lengths = np.array([2, 5, 3])
    output, last = layer(inputs_of(layer), lengths=lengths)
    output = cr.swapaxes(output, 0, 1) if layer.batch_first else output
    for row, length in enumerate(lengths):
        alone, end = layer(X[:length, row])
        np.testing.assert_allclose(output[:length, row].numpy(), alone.numpy(), rtol=1e-12)
        assert not output[length:, row].numpy().any()
        for mine, other in zip(leaves(last), leaves(end), strict=True):
            np.testing.assert_allclose(mine[:, row].numpy(), other.numpy(), rtol=1e-12)


@each_layer
def test_compiled_layer_is_the_eager_one_to_second_order(name: str, options: Options) -> None:
    layer = getattr(nn, name)(INPUTS, HIDDEN, **options).double()
    points = cr.tensor(inputs_of(layer))

    def loss(x: Any, lengths: Any) -> Any:
        return weighted(cr, layer(x, lengths=lengths))

    def both(x: Any, lengths: Any) -> Any:
        gradient = cr.grad(loss)(x, lengths)
        return gradient, cr.grad(lambda x: (cr.grad(loss)(x, lengths) ** 2).sum())(x)

    lengths = cr.tensor(np.array([5, 1, 3]))
    for mine, other in zip(cr.compile(both)(points, lengths), both(points, lengths), strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [True, False])
def test_cells_are_pytorchs(name: str, bias: bool) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = (getattr(library, name)(INPUTS, HIDDEN, bias=bias).double() for library in (nn, torch.nn))
    assert repr(ours) == repr(theirs)
    theirs.load_state_dict({key: torch.tensor(np.asarray(each)) for key, each in ours.state_dict().items()})
    first, second = ours(X[0]), theirs(torch.tensor(X[0]))
    close(first, second)
    close(ours(X[1], first), theirs(torch.tensor(X[1]), second))


def test_dropout_between_layers_in_training_only() -> None:
    layer = nn.LSTM(INPUTS, HIDDEN, num_layers=2, dropout=0.9).double()
    first, second = (layer(X)[0].numpy() for _ in range(2))
    assert (first != second).any()
    layer.eval()
    np.testing.assert_array_equal(layer(X)[0].numpy(), layer(X)[0].numpy())


def test_sequences_are_padded_and_packed_and_back() -> None:
    sequences = [np.arange(3.0)[:, None], np.arange(5.0)[:, None] + 10, np.array([[7.0]])]
    padded = rnn.pad_sequence(sequences, batch_first=True, padding_value=-1.0)
    assert padded[2].numpy().ravel().tolist() == [7, -1, -1, -1, -1]
    left = rnn.pad_sequence(sequences, padding_side="left")
    assert left[:, 0].numpy().ravel().tolist() == [0, 0, 0, 1, 2]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    assert packed.batch_sizes.tolist() == [3, 2, 2, 1, 1]
    assert packed.data.numpy().ravel().tolist() == [10, 0, 7, 11, 1, 12, 2, 13, 14]
    for mine, other in zip(rnn.unpack_sequence(packed), sequences, strict=True):
        np.testing.assert_array_equal(mine.numpy(), other)


BAD: list[tuple[Any, type[Exception], str]] = [
    (lambda: nn.RNN(3, 4, nonlinearity="sin"), UnknownNameError, "tanh"),
    (lambda: nn.LSTM(3, 4, proj_size=4), ConfigurationError, "proj_size"),
    (lambda: nn.GRU(3, 0), ConfigurationError, "hidden_size"),
    (lambda: nn.GRU(3, 4)(np.zeros((5, 2, 4), "f")), ShapeError, r"\(time, batch, 3\).*\(5, 2, 4\)"),
    (lambda: nn.GRU(3, 4)(np.zeros((5, 2, 3), "f"), np.zeros((1, 3, 4), "f")), ShapeError, r"\(1, 2, 4\)"),
    (lambda: nn.GRU(3, 4)(np.zeros((5, 2, 3), "f"), lengths=[1.5, 2.0]), ShapeError, "lengths"),
    (lambda: nn.LSTMCell(3, 4)(np.zeros((2, 4), "f")), ShapeError, r"\(batch, 3\)"),
    (lambda: rnn.pack_padded_sequence(X, [2, 5, 3]), ConfigurationError, "enforce_sorted"),
    (lambda: rnn.pack_padded_sequence(X, [9, 5, 3]), ConfigurationError, "between 1 and 5"),
    (lambda: rnn.pack_padded_sequence(X, [3, 2]), ShapeError, "lengths"),
]


@pytest.mark.parametrize(("make", "kind", "says"), BAD)
def test_what_does_not_fit_is_named(make: Any, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        make()


def test_packing_while_a_program_is_traced() -> None:
    """How many rows there are follows from the lengths: they are numbers there, and no arrays."""

    def packed(x: Any, lengths: Any) -> Any:
        return rnn.pack_padded_sequence(x, lengths, enforce_sorted=False).data

    lengths = (2, 5, 3)
    np.testing.assert_array_equal(cr.compile(packed)(X, lengths), packed(X, lengths))
    with pytest.raises(TraceError, match="Give the lengths as a tuple of numbers"):
        cr.compile(packed)(X, np.array(lengths))
