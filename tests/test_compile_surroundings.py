"""What a compiled function finds around itself counts as it is at each call, as it does eagerly."""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import TraceError

X = np.float32([1.0, -2.0, 3.0])
FACTOR = 2.0
OTHER_FACTOR = 2.0
MODE = "double"
PAIR = (1.0, 2.0)
WEIGHTS = [1.0, 2.0, 3.0]
OPTIONS: dict[str, Any] = {"scale": 2.0, "round": 0, "inner": {"shift": 1.0}}
MASK = np.float32([1, 1, 0])
LARGE = np.zeros((1100, 1000), np.float32)
TENSOR = cr.tensor(X)
COUNT = 0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "change" in metafunc.fixturenames:
        metafunc.parametrize("change", CHANGES, ids=lambda change: change.__name__)


def helped(x: Any) -> Any:
    return x * FACTOR


def shifted(x: Any) -> Any:
    return x + 1


class Change(NamedTuple):
    """A function, and what changes what it reads."""

    function: Callable[[Any], Any]
    change: Callable[[], Any]


def put(name: str, found: Any) -> Callable[[], Any]:
    return lambda: globals().__setitem__(name, found)


def a_global() -> Change:
    return Change(lambda x: x * FACTOR, put("FACTOR", 5.0))


def a_global_of_a_function_that_is_called() -> Change:
    return Change(lambda x: helped(x) + 1, put("FACTOR", 5.0))


def a_global_in_a_comprehension() -> Change:
    return Change(lambda x: sum(x * FACTOR * each for each in [1, 2]), put("FACTOR", 5.0))


def a_string() -> Change:
    return Change(lambda x: x * 2 if MODE == "double" else x, put("MODE", "single"))


def a_tuple() -> Change:
    return Change(lambda x: x * PAIR[0] + PAIR[1], put("PAIR", (3.0, 4.0)))


def a_list_that_is_changed() -> Change:
    return Change(lambda x: x * WEIGHTS[0], lambda: WEIGHTS.__setitem__(0, WEIGHTS[0] + 1))


def an_item_of_a_dict() -> Change:
    return Change(lambda x: x * OPTIONS["scale"], lambda: OPTIONS.update(scale=OPTIONS["scale"] + 1))


def an_item_of_a_dict_in_a_dict() -> Change:
    return Change(lambda x: x * OPTIONS["inner"]["shift"], lambda: OPTIONS["inner"].update(shift=7.0))


def a_dict_by_a_variable() -> Change:
    def function(x: Any) -> Any:
        options = OPTIONS
        return x * options.get("scale")

    return Change(function, lambda: OPTIONS.update(scale=OPTIONS["scale"] + 1))


def a_function() -> Change:
    return Change(lambda x: shifted(x), put("shifted", lambda x: x - 1))


def a_tensor() -> Change:
    return Change(lambda x: x * TENSOR, put("TENSOR", cr.tensor(X + 1)))


def an_array_in_place() -> Change:
    return Change(lambda x: x * MASK, lambda: MASK.__setitem__(2, MASK[2] + 1))


def an_array_that_chooses() -> Change:
    return Change(lambda x: x[MASK > 1.5].sum(), lambda: MASK.__setitem__(1, 3 - MASK[1]))


def a_large_array_in_place() -> Change:
    return Change(lambda x: x * LARGE.sum(), lambda: LARGE.__setitem__((-1, -1), LARGE[-1, -1] + 1))


def a_variable_around() -> Change:
    around = 2.0

    def change() -> None:
        nonlocal around
        around = 3.0

    return Change(lambda x: x * around, change)


def a_default_that_is_changed() -> Change:
    scales = [2.0]

    def function(x: Any, scales: Any = scales) -> Any:
        return x * scales[0]

    return Change(function, lambda: scales.__setitem__(0, 3.0))


def an_attribute_by_a_variable() -> Change:
    config = SimpleNamespace(alpha=0.5)

    def function(x: Any) -> Any:
        here = config
        return x * here.alpha

    return Change(function, lambda: setattr(config, "alpha", 2.0))


def an_attribute_by_its_name() -> Change:
    config = SimpleNamespace(alpha=0.5)
    return Change(lambda x: x * getattr(config, "alpha"), lambda: setattr(config, "alpha", 2.0))  # noqa: B009


def an_attribute_of_what_a_function_is_given() -> Change:
    config = SimpleNamespace(inner=SimpleNamespace(alpha=0.5))

    def helper(x: Any, given: Any) -> Any:
        return x * given.inner.alpha

    return Change(lambda x: helper(x, config), lambda: setattr(config.inner, "alpha", 2.0))


def a_tensor_of_an_object() -> Change:
    state = SimpleNamespace(h=cr.tensor(X))
    return Change(lambda x: x * state.h, lambda: setattr(state, "h", cr.tensor(X + 1)))


class Slotted:
    __slots__ = ("alpha",)


def a_slot() -> Change:
    config = Slotted()
    config.alpha = 0.5
    return Change(lambda x: x * config.alpha, lambda: setattr(config, "alpha", 2.0))


class Scaling:
    shift = 1.0

    def __init__(self) -> None:
        self.scale, self.calls = 2.0, 0

    @property
    def twice(self) -> float:
        return 2 * self.scale

    def scaled(self, x: Any) -> Any:
        return x * self.twice

    def __call__(self, x: Any) -> Any:
        return self.scaled(x) + self.shift

    def mapped(self, x: Any) -> Any:
        return [self.scaled(each) for each in (x, x)][1]


def a_method_and_a_property() -> Change:
    scaling = Scaling()
    return Change(scaling.scaled, lambda: setattr(scaling, "scale", 3.0))


def a_method_in_a_comprehension() -> Change:
    scaling = Scaling()
    return Change(scaling.mapped, lambda: setattr(scaling, "scale", 3.0))


def an_object_that_is_called() -> Change:
    scaling = Scaling()
    return Change(lambda x: scaling(x), lambda: setattr(scaling, "scale", 3.0))


def an_attribute_of_the_class() -> Change:
    scaling = Scaling()
    return Change(lambda x: scaling(x), lambda: setattr(Scaling, "shift", Scaling.shift + 1))


def an_attribute_over_that_of_the_class() -> Change:
    scaling = Scaling()
    return Change(lambda x: scaling(x), lambda: setattr(scaling, "shift", 9.0))


def a_partial() -> Change:
    return Change(functools.partial(lambda scale, x: x * scale * FACTOR, 3.0), put("FACTOR", 5.0))


def a_decorated_function() -> Change:
    def decorated(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(x: Any) -> Any:
            return function(x) + 1

        return wrapper

    return Change(decorated(helped), put("FACTOR", 5.0))


def a_function_that_is_compiled_too() -> Change:
    inner = cr.compile(helped)
    return Change(lambda x: inner(x) + 1, put("FACTOR", 5.0))


def a_function_whose_gradient_is_taken() -> Change:
    gradient = cr.grad(lambda x: (x * x * FACTOR).sum())
    return Change(lambda x: gradient(x), put("FACTOR", 5.0))


def a_function_given_to_a_loop() -> Change:
    def body(carry: Any, x: Any) -> Any:
        return carry + x * FACTOR, carry

    return Change(lambda x: cr.scan(body, cr.tensor(0.0), x)[0], put("FACTOR", 5.0))


def a_python_module() -> Change:
    settings = ModuleType("settings_of_the_user")
    settings.RATE = 0.5  # type: ignore[attr-defined]
    return Change(lambda x: x * settings.RATE, lambda: setattr(settings, "RATE", 2.0))


def a_python_module_that_the_function_imports() -> Change:
    sys.modules["settings_of_the_user"] = settings = ModuleType("settings_of_the_user")
    settings.RATE = 0.5  # type: ignore[attr-defined]

    def function(x: Any) -> Any:
        from settings_of_the_user import RATE  # type: ignore[import-not-found]

        return x * RATE

    return Change(function, lambda: setattr(settings, "RATE", 2.0))


class Reader(nn.Module):
    """Reads a global, an array and an object."""

    def __init__(self) -> None:
        super().__init__()
        self.mask, self.config = np.float32([1, 2, 3]), SimpleNamespace(alpha=0.5)

    def forward(self, x: Any) -> Any:
        return x * self.mask * self.config.alpha * FACTOR


def a_global_of_a_module() -> Change:
    model = Reader()
    return Change(lambda x: model(x), put("FACTOR", 5.0))


def an_array_of_a_module() -> Change:
    model = nn.Sequential(Reader())
    return Change(lambda x: model(x), lambda: model[0].mask.fill(7))


def an_object_of_a_module() -> Change:
    model = nn.Sequential(Reader())
    return Change(lambda x: model(x), lambda: setattr(model[0].config, "alpha", 3.0))


CHANGES = [
    *(a_global, a_global_of_a_function_that_is_called, a_global_in_a_comprehension, a_string, a_tuple),
    *(a_list_that_is_changed, an_item_of_a_dict, an_item_of_a_dict_in_a_dict, a_dict_by_a_variable, a_function),
    *(a_tensor, an_array_in_place, an_array_that_chooses, a_large_array_in_place, a_variable_around),
    *(a_default_that_is_changed, an_attribute_by_a_variable, an_attribute_by_its_name),
    *(an_attribute_of_what_a_function_is_given, a_tensor_of_an_object, a_slot, a_method_and_a_property),
    *(a_method_in_a_comprehension, an_object_that_is_called, an_attribute_of_the_class),
    *(an_attribute_over_that_of_the_class, a_partial, a_decorated_function, a_function_that_is_compiled_too),
    *(a_function_whose_gradient_is_taken, a_function_given_to_a_loop, a_python_module),
    *(a_python_module_that_the_function_imports, a_global_of_a_module, an_array_of_a_module, an_object_of_a_module),
]


@pytest.fixture(autouse=True)
def the_globals_as_they_were() -> Any:
    before = {name: globals()[name] for name in ("FACTOR", "MODE", "PAIR", "TENSOR", "shifted", "COUNT")}
    yield
    globals().update(before)
    sys.modules.pop("settings_of_the_user", None)


def test_a_change_counts_as_it_does_eagerly(change: Callable[[], Change]) -> None:
    function, make = change()
    compiled = cr.compile(function)
    before = compiled(X).numpy()
    np.testing.assert_allclose(before, function(cr.tensor(X)).numpy(), rtol=1e-6)
    make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecompileWarning)  # of compiled functions inside, which runs by itself here
        expected = function(cr.tensor(X)).numpy()
    assert not np.array_equal(before, expected)
    with pytest.warns(RecompileWarning, match="is not what it was"):
        np.testing.assert_allclose(compiled(X).numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(compiled(X).numpy(), expected, rtol=1e-6)  # no more warnings


def count(call: Any) -> int:
    return sum(map(len, call._entries.values()))


def test_what_the_code_does_not_read_may_change() -> None:
    state = SimpleNamespace(step=0, scale=2.0)
    optimizer = SimpleNamespace(step=lambda: None)

    def function(x: Any) -> Any:
        optimizer.step()
        return x * state.scale * OPTIONS["scale"]

    compiled = cr.compile(function)
    before = compiled(X).tolist()
    state.step, OPTIONS["round"], state.scale = 1, 1, float("2.0")  # the last is an equal number
    globals()["step"] = 7
    assert compiled(X).tolist() == before
    assert count(compiled) == 1


def test_programs_are_found_again() -> None:
    compiled = cr.compile(lambda x: x * FACTOR)
    with pytest.warns(RecompileWarning, match=r"the global FACTOR is not what it was"):
        for factor in (2.0, 3.0, 2.0, 3.0):
            put("FACTOR", factor)()
            assert compiled(X).tolist() == (factor * X).tolist()
    assert count(compiled) == 2


def test_one_and_true_and_minus_zero_are_told_apart() -> None:
    compiled = cr.compile(lambda x: x * FACTOR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecompileWarning)
        for factor in (1, True, 1.0, 0.0, -0.0):
            put("FACTOR", factor)()
            expected = (cr.tensor(X) * factor).numpy()
            found = compiled(X).numpy()
            assert found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    assert count(compiled) == 5


def test_what_changes_at_each_call_is_told_and_few_programs_are_kept() -> None:
    compiled = cr.compile(lambda x: x * FACTOR)
    with pytest.warns(RecompileWarning) as caught:
        for factor in range(20):
            put("FACTOR", factor)()
            assert compiled(X).tolist() == (factor * X).tolist()
    assert len(caught) == 2
    assert "compiled again and again" in str(caught[1].message) and "the global FACTOR" in str(caught[1].message)
    assert count(compiled) <= 8


def test_a_number_that_the_function_counts_up() -> None:
    def counting(x: Any) -> Any:
        global COUNT
        COUNT += 1
        return x * COUNT

    compiled = cr.compile(counting)
    with pytest.warns(RecompileWarning, match="the global COUNT"):
        assert [compiled(X).tolist()[0] for _ in range(3)] == [1.0, 2.0, 3.0]


def test_what_the_function_leaves_to_look_at_is_no_matter() -> None:
    log, last = [], SimpleNamespace(x=None)

    def function(x: Any) -> Any:
        log.append(x.shape)
        last.x = x
        return x * 2

    compiled = cr.compile(function)
    for _ in range(3):
        assert compiled(X).tolist() == (2 * X).tolist()
    assert log == [(3,)]


def test_a_tensor_that_is_read_and_replaced() -> None:
    state = SimpleNamespace(h=cr.zeros(3))

    def function(x: Any) -> Any:
        state.h = state.h + x
        return state.h * 1

    with pytest.raises(TraceError, match=r"the attribute 'h' of SimpleNamespace.*assign"):
        cr.compile(function)(X)
    state.h = cr.zeros(3)

    def in_place(x: Any) -> Any:
        state.h.assign(state.h + x)
        return state.h * 1

    compiled = cr.compile(in_place)
    assert [compiled(X).tolist()[0] for _ in range(3)] == [1.0, 2.0, 3.0]


class Trainer:
    """A plain object with a compiled method."""

    def __init__(self) -> None:
        self.weight = nn.Parameter([1.0])
        self.optimizer = optim.SGD([self.weight], lr=1.0)
        self.scale, self.calls, self.loss = 1.0, 0, None

    @cr.compile
    def step(self, x: Any) -> Any:
        self.optimizer.zero_grad()
        loss = (self.weight * x).sum() * self.scale
        loss.backward()
        self.optimizer.step()
        return loss


def test_a_compiled_method_of_a_plain_object() -> None:
    trainer, other = Trainer(), Trainer()
    trainer.step(X[:1])
    assert trainer.weight.tolist() == [0.0]
    trainer.calls += 1
    trainer.step(X[:1])
    assert trainer.weight.tolist() == [-1.0]
    trainer.scale = 2.0
    with pytest.warns(RecompileWarning, match="the attribute 'scale' of Trainer"):
        trainer.step(X[:1])
    assert trainer.weight.tolist() == [-3.0]
    other.step(X[:1])
    assert other.weight.tolist() == [0.0]
    assert count(Trainer.step) == 3


def test_an_epoch_sees_a_change() -> None:
    total = cr.compile(lambda x: (x * FACTOR).sum())
    rows = np.arange(6, dtype=np.float32)
    assert total.epoch(rows, batch_size=3).tolist() == [6.0, 24.0]
    put("FACTOR", 3.0)()
    with pytest.warns(RecompileWarning, match="the global FACTOR"):
        assert total.epoch(rows, batch_size=3).tolist() == [9.0, 36.0]


def test_a_loss_given_to_fit_sees_a_change_between_epochs() -> None:
    def trained(compile: bool) -> list[float]:
        put("FACTOR", 1.0)()
        model = nn.Linear(1, 1, bias=False)
        model.weight.assign([[1.0]])
        cr.train.fit(
            model,
            optim.SGD(model.parameters(), lr=0.1),
            loss=lambda outputs, targets: ((outputs - targets) ** 2).mean() * FACTOR,
            data=(X[:, None], X[:, None] * 3),
            batch_size=3,
            epochs=2,
            callbacks=[lambda *_: put("FACTOR", 0.5)()],
            progress=False,
            compile=compile,
        )
        return model.weight.tolist()

    with pytest.warns(RecompileWarning, match="the global FACTOR"):
        found = trained(True)
    np.testing.assert_allclose(found, trained(False), rtol=1e-6)


def test_threads_each_see_what_is_there() -> None:
    compiled = cr.compile(lambda x: x * FACTOR)
    compiled(X)
    put("FACTOR", 4.0)()
    found: list[Any] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecompileWarning)
        threads = [threading.Thread(target=lambda: found.append(compiled(X).tolist())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [(4 * X).tolist()] * 4
    assert count(compiled) == 2
