"""Errors: each is also the Python error a caller would expect, names the user's line, and suggests near names."""

from __future__ import annotations

import pytest

import chainrule as cr
from chainrule import errors
from chainrule.errors import ChainruleError, EngineError, missing_dependency, unknown_name
from chainrule.source import user_source

KINDS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, ChainruleError)]


def test_kinds_are_the_python_errors_that_callers_expect() -> None:
    expected = {
        "ShapeError": ValueError,
        "DtypeError": TypeError,
        "OutOfRangeError": IndexError,
        "TraceError": TypeError,
        "GradientError": ValueError,
        "GradientMismatchError": AssertionError,
        "DataError": ValueError,
        "CheckpointError": ValueError,
        "ConfigurationError": ValueError,
        "MissingDependencyError": ImportError,
        "DivergenceError": ArithmeticError,
    }
    for name, python in expected.items():
        assert issubclass(getattr(errors, name), python), name
    assert len(KINDS) >= len(expected) and all(each.__doc__ for each in KINDS)


def test_engine_errors_name_the_line_that_asked() -> None:
    error = EngineError("something is wrong")  # here
    assert str(error).splitlines() == [
        "something is wrong",
        f'  at test_errors.py:{error_line()}: error = EngineError("something is wrong")  # here',
    ]


def error_line() -> int:
    """The line of the comment `# here` above."""
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if line.rstrip().endswith("# here"))


def test_the_source_is_the_innermost_line_outside_the_package() -> None:
    found = []
    cr.tree.map(lambda leaf: found.append(user_source()), [1])  # the callback
    assert found[0] is not None and "# the callback" in found[0].text and found[0].file == __file__


def test_code_without_a_file_has_no_text() -> None:
    with pytest.raises(ChainruleError, match=r"at <string>:1$"):
        exec("cr.ones(2) + cr.ones(3)", {"cr": cr})


def test_near_names() -> None:
    assert "did you mean 'adam', 'adamw'?" in str(unknown_name("optimiser", "adm", ["sgd", "adam", "adamw"]))
    assert "known: a, b" in str(unknown_name("thing", "xyz", ["b", "a"]))
    assert "pip install 'chainrule[images]'" in str(missing_dependency("pillow", "reading images", "images"))
