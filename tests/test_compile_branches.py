"""What a traced function can't do, and what the error says: the user's own line, and the way out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn
from chainrule.errors import TraceError

X = np.float32([1.0, 2.0, 3.0])


def branches(x: Any) -> Any:
    if x.sum() > 0:  # here
        return x
    return -x


def loops(x: Any) -> Any:
    while x.max() < 100:  # here
        x = x * 2
    return x


def asks_bool(x: Any) -> Any:
    return x if bool(x[0] > 1) else -x  # here


def asks_float(x: Any) -> Any:
    return x * float(x[0])  # here


def asks_int(x: Any) -> Any:
    return x * int(x[0])  # here


def asks_item(x: Any) -> Any:
    return x * x[0].item()  # here


def asks_list(x: Any) -> Any:
    return x * x.tolist()[0]  # here


def asks_numpy(x: Any) -> Any:
    return np.sin(x.numpy())  # here


def asks_asarray(x: Any) -> Any:
    return cr.tensor(np.asarray(x) + 1)  # here


def asks_math(x: Any) -> Any:
    return x * math.sqrt(x[0])  # here


def negates(x: Any) -> Any:
    return x if not x[0] else -x  # here


def joins(x: Any) -> Any:
    return x[0] > 0 and x[1] > 0  # here


def counts(x: Any) -> Any:
    return sum(range(x[0].astype("int64")))  # here


def indexes(x: Any) -> Any:
    return [1, 2, 3][x[0].astype("int64")] * x  # here


def contains(x: Any) -> Any:
    return x if 2.0 in x else -x  # here


def formats(x: Any) -> Any:
    return x if f"{x[0]:.3f}" == "1.000" else -x  # here


FUNCTIONS = [
    *(branches, loops, asks_bool, asks_float, asks_int, asks_item, asks_list, asks_numpy, asks_asarray, asks_math),
    *(negates, joins, counts, indexes, contains, formats),
]


def line_of(function: Callable[..., Any]) -> str:
    import inspect

    (line,) = (line.strip() for line in inspect.getsource(function).splitlines() if line.endswith("# here"))
    return line


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: str(function.__name__))
def test_the_error_names_the_line_and_the_way_out(function: Callable[..., Any]) -> None:
    with pytest.raises(TraceError) as caught:
        cr.compile(function)(X)
    message = str(caught.value)
    assert re.search(rf"\n  at {re.escape('test_compile_branches.py')}:\d+: {re.escape(line_of(function))}", message)
    assert "cr.where" in message and "cr.cond" in message
    if "while" in line_of(function):
        assert "cr.while_loop" in message


def test_a_branch_on_a_parameter_is_refused_too() -> None:
    layer = nn.Linear(3, 2)

    @cr.compile
    def step(x: Any) -> Any:
        if layer.weight.sum() > 0:  # a parameter
            return layer(x)
        return x

    with pytest.raises(TraceError, match=r"if layer\.weight\.sum\(\) > 0:  # a parameter"):
        step(X)
    with pytest.raises(TraceError, match=r"cr\.cond"):
        cr.compile(lambda x: x * float(layer.bias[0]))(X)


def test_printing_shows_the_type_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    @cr.compile
    def step(x: Any) -> Any:
        print("x is", x, f"and {x}", repr(x))
        return x * 2

    assert step(X).tolist() == [2, 4, 6]
    assert "float32" in capsys.readouterr().out


def test_shapes_and_types_are_known() -> None:
    """What depends on shapes alone is plain Python."""

    @cr.compile
    def step(x: Any) -> Any:
        if len(x) > 2 and x.shape[0] == 3 and x.ndim == 1 and x.dtype == np.float32 and x.size:
            return sum(x[place] * place for place in range(len(x)))
        return x

    assert step(X).item() == 8
    with pytest.warns(UserWarning, match="compiled again"):
        assert step(X[:2]).tolist() == [1, 2]


def test_the_ways_out_work() -> None:
    where = cr.compile(lambda x: cr.where(x > 2, x, -x))
    cond = cr.compile(lambda x: cr.cond(x.sum() > 0, lambda: x, lambda: -x))
    loop = cr.compile(lambda x: cr.while_loop(lambda c: c.max() < 100, lambda c: c * 2, x))
    total = cr.compile(lambda x: cr.scan(lambda carry, row: (carry + row, carry), 0.0, x)[0])
    assert where(X).tolist() == [-1, -2, 3]
    assert cond(X).tolist() == [1, 2, 3] and cond(-X).tolist() == [1, 2, 3]
    assert loop(X).tolist() == [64, 128, 192]  # 1, 2, 3 doubled until the largest is at least 100
    assert total(X).item() == 6


def test_nothing_is_changed_by_a_function_that_can_not_be_traced() -> None:
    layer = nn.Linear(3, 1)
    before = {name: np.array(array) for name, array in layer.state_dict().items()}
    state = cr.random.default_generator.get_state()

    @cr.compile
    def step(x: Any) -> Any:
        loss = (layer(x) + cr.random.normal(())).sum()
        loss.backward()
        layer.weight.assign(layer.weight * 2)
        return loss.item()

    with pytest.raises(TraceError):
        step(X)
    assert layer.weight.grad is None
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    np.testing.assert_array_equal(cr.random.default_generator.get_state(), state)


def test_the_users_own_errors_come_through() -> None:
    class Wrong(Exception):
        pass

    @cr.compile
    def step(x: Any) -> Any:
        if x.shape[0] == 3:
            raise Wrong("three")
        return x

    with pytest.raises(Wrong, match="three"):
        step(X)
    assert step(X[:2]).tolist() == [1, 2]  # it works again afterwards
    with pytest.raises(cr.errors.ShapeError, match=r"return x @ x\[:2\]"):

        def shapes(x: Any) -> Any:
            return x @ x[:2]

        cr.compile(shapes)(X)


@pytest.mark.parametrize("result", ["text", object(), {1, 2}, None])
def test_results_that_are_no_arrays(result: Any) -> None:
    call = cr.compile(lambda x: (x, result))
    if result is None:
        assert call(X)[1] is None
        return
    with pytest.raises(TraceError, match="returns arrays in containers, not"):
        call(X)


def test_a_value_that_escapes_is_told() -> None:
    kept = []
    cr.compile(lambda x: (kept.append(x * 2), x)[1])(X)
    with pytest.raises(TraceError, match="outside the trace"):
        kept[0] + 1


def test_an_index_out_of_range_is_an_error_and_the_next_call_works() -> None:
    call = cr.compile(lambda x, place: cr.take(x, place, 0))
    with pytest.raises(cr.errors.OutOfRangeError):
        call(X, np.int64([0, 7]))
    assert call(X, np.int64([0, 2])).tolist() == [1, 3]


def test_a_schedule_inside_is_refused_and_works_outside() -> None:
    weight = cr.tensor([1.0], requires_grad=True)
    optimizer = cr.optim.SGD([weight], lr=1.0)
    schedule = cr.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)

    def step() -> None:
        optimizer.zero_grad()
        weight.sum().backward()
        optimizer.step()

    with pytest.raises(TraceError, match="call it after the compiled function"):
        cr.compile(lambda: (step(), schedule.step()))()
    assert weight.item() == 1 and optimizer.param_groups[0]["lr"] == 1
    call = cr.compile(step)
    for _ in range(3):
        call()
        schedule.step()
    assert weight.item() == 1 - (1 + 0.5 + 0.25)
