"""What changes a tensor in place: against NumPy, with gradients, in compiled functions; and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DtypeError, GradientError, OutOfRangeError, ShapeError, TraceError

KEYS: tuple[tuple[Any, Any], ...] = (
    (0, 5.0),
    ((slice(None), 1), [7.0, 8.0, 9.0, 1.0]),
    ((..., slice(None, None, -2)), np.arange(4.0).reshape(2, 1, 2)),
    (np.array([1, 1, 0]), np.arange(3.0)[:, None, None]),  # the last of two stays
    ((np.array([0, 1]), slice(None), np.array([3, -1])), 9.0),
    (slice(0, 0), 1.0),
    (None, 3.0),
    ((), np.ones((1, 2, 3, 4))),
    (True, 4.0),
)


@pytest.mark.parametrize(("key", "value"), KEYS, ids=str)
def test_elements_are_set_as_in_numpy(key: Any, value: Any) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    ours, expected = cr.tensor(array), array.copy()
    ours[key] = value
    expected[key] = value
    np.testing.assert_array_equal(ours.numpy(), expected)
    assert (array == np.arange(24.0).reshape(2, 3, 4)).all()


def test_masks_known_and_traced() -> None:
    x = np.arange(6.0).reshape(2, 3)
    ours = cr.tensor(x)
    ours[x > 3] = np.array([7.0, 8.0])
    assert ours.tolist() == [[0, 1, 2], [3, 7, 8]]

    @cr.compile
    def compiled(x: Any) -> Any:
        y = x * 1
        y[y > 2] = 0.0
        y[cr.any(y > 1, axis=1)] += 10
        return y

    with pytest.raises(TraceError, match="mask"):
        compiled(x)

    @cr.compile
    def allowed(x: Any) -> Any:
        y = x * 1
        y[y > 2] = 0.0
        y[cr.any(y > 1, axis=1)] = 10
        return y

    assert allowed(x).tolist() == [[10, 10, 10], [0, 0, 0]]


def test_places_that_are_computed() -> None:
    def put(x: Any, places: Any, values: Any) -> Any:
        y = cr.sin(x)
        y[places] = values * 2
        return (y * y).sum()

    x, places, values = np.arange(5.0), np.array([3, 1, 3]), np.array([1.0, 2.0, 3.0])
    for f in (cr.grad(put, (0, 2)), cr.compile(cr.grad(put, (0, 2)))):
        by_x, by_values = f(x, places, values)
        np.testing.assert_allclose(by_x.numpy(), np.where([1, 0, 1, 0, 1], np.sin(2 * x), 0), atol=1e-14)
        np.testing.assert_allclose(by_values.numpy(), [0, 16, 24])
    for f in (cr.grad(put, (0, 2)), cr.compile(cr.grad(put, (0, 2)))):
        by_x, _ = f(x, places[:0], values[:0])  # nothing is put anywhere
        np.testing.assert_allclose(by_x.numpy(), np.sin(2 * x), atol=1e-14)


def test_operators_change_the_tensor_and_nothing_made_from_it() -> None:
    x = y = cr.tensor([1.0, 2.0])
    before, part = x * 1, x[:1]
    x += 1
    x *= cr.tensor([2.0, 3.0])
    x.sub_(1).div_(2)
    assert y is x and x.tolist() == [1.5, 4.0]
    assert before.tolist() == [1, 2] and part.tolist() == [1]
    n = cr.tensor([5, 6])
    n //= 2
    n <<= 1
    n |= 1
    assert n.tolist() == [5, 7] and n.zero_().tolist() == [0, 0]
    assert cr.zeros(2).copy_([1, 2]).tolist() == [1, 2] and cr.ones(2).fill_(3).tolist() == [3, 3]


def test_gradients_go_through_what_was_changed() -> None:
    w = cr.Parameter([1.0, 2.0])
    h = w * w
    kept = h * 3
    h[0] = w[1] * 5
    h *= w
    (h.sum() + kept.sum()).backward()
    assert w.grad is not None and w.grad.tolist() == [10 + 6, 5 + 12 + 12]


def test_what_is_refused() -> None:
    w = cr.Parameter([1.0, 2.0])
    with pytest.raises(GradientError, match="no_grad"):
        w += 1
    with cr.no_grad():
        w -= 0.5
        w[1] = 7
    assert w.tolist() == [0.5, 7] and w.requires_grad and w.is_leaf
    n = cr.tensor([1, 2])
    with pytest.raises(ShapeError, match="keeps shape and element type"):
        n += 0.5
    with pytest.raises(DtypeError, match="do not fit"):
        n[0] = 0.5
    with pytest.raises(ShapeError, match="broadcast"):
        n[:] = [1, 2, 3]
    with pytest.raises(OutOfRangeError):
        n[5] = 1


def test_cells_of_compiled_functions() -> None:
    total, w = cr.zeros(2), cr.Parameter([2.0, 3.0])

    @cr.compile
    def step(x: Any) -> Any:
        with cr.no_grad():
            total[0] = total[0] + x.sum()
            w.mul_(2)
        return x * w

    step(np.ones(2, np.float32))
    step(np.ones(2, np.float32))
    assert total.tolist() == [4, 0] and w.tolist() == [8, 12]

    @cr.compile
    def through(x: Any) -> Any:
        total.add_(x * w)
        return cr.grad(lambda w: (total * w).sum())(w), total * 1

    total.zero_()
    assert through(np.ones(2, np.float32))[0].tolist() == [8, 12] and total.tolist() == [8, 12]


def test_state_may_be_any_tensor() -> None:
    """A tensor that was a constant of the program until it was written becomes a cell."""
    first, second = cr.zeros(2), cr.ones(2) + 1

    @cr.compile
    def step(x: Any) -> Any:
        first.assign(first + x)
        second.mul_(x)
        local = cr.zeros(2)
        local[0] = (x * x).sum()
        return local

    assert [step(np.full(2, 3, np.float32)).tolist() for _ in range(3)] == [[18, 0]] * 3
    assert first.tolist() == [9, 9] and second.tolist() == [54, 54]


def test_what_is_made_inside_carries_gradients() -> None:
    def loss(w: Any) -> Any:
        parts = cr.zeros(2)
        parts[0], parts[1] = w.sum(), (w * w).sum()
        return parts.prod()

    w = np.array([1.0, 2.0])
    np.testing.assert_allclose(cr.compile(cr.grad(loss))(w).numpy(), 5 + 2 * w * 3)


class Keeper:
    """Something that a function leaves tensors in."""

    last: cr.Tensor
    state: cr.Tensor | None = None


def made_and_assigned(x: Any, keeper: Keeper) -> Any:
    made = cr.tensor([1.0, 2.0])
    made.assign(made * x)
    return made + 0


def made_and_added_to(x: Any, keeper: Keeper) -> Any:
    total = cr.tensor([0.0, 0.0])
    for _ in range(3):
        total += x
    return total


def made_by_a_generator(x: Any, keeper: Keeper) -> Any:
    generator = cr.random.Generator(7)
    return cr.random.normal((2,), generator=generator) + cr.random.normal((2,), generator=generator) * x


def made_and_trained(x: Any, keeper: Keeper) -> Any:
    weight = cr.Parameter([1.0, 3.0])
    optimizer = cr.optim.SGD([weight], lr=0.5, momentum=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        (weight * weight * x).sum().backward()
        optimizer.step()
    return weight * 1


def made_and_left(x: Any, keeper: Keeper) -> Any:
    keeper.last = cr.tensor([1.0, 2.0])
    keeper.last *= x
    return keeper.last * 1


def zeros_made_and_left(x: Any, keeper: Keeper) -> Any:
    keeper.last = cr.zeros(2)
    keeper.last += x
    return keeper.last * 1


def made_when_missing(x: Any, keeper: Keeper) -> Any:
    if keeper.state is None:
        keeper.state = cr.tensor([1.0, 2.0])
    keeper.state *= x
    return keeper.state * 1


MADE_INSIDE = [made_and_assigned, made_and_added_to, made_by_a_generator, made_and_trained, made_and_left]
MADE_INSIDE += [zeros_made_and_left, made_when_missing]


@pytest.mark.parametrize("function", MADE_INSIDE, ids=lambda function: function.__name__)
def test_what_a_compiled_function_makes_it_makes_anew(function: Any) -> None:
    """Call after call, as eagerly; state that is made when it is missing goes on."""
    eager, compiled = Keeper(), Keeper()
    step = cr.compile(lambda x: function(x, compiled))
    for x in ([2.0, 3.0], [1.0, 0.5], [4.0, 1.0]):
        given = np.float32(x)
        np.testing.assert_allclose(step(given).numpy(), function(cr.tensor(given), eager).numpy(), rtol=1e-6)
        for name in vars(eager):
            np.testing.assert_allclose(getattr(compiled, name).numpy(), getattr(eager, name).numpy(), rtol=1e-6)
