"""What calls are told apart by: the types of arrays, and everything else as it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler.running.function import RecompileWarning
from chainrule.errors import DtypeError


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "u8", "c8"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4)])
def test_bytes_in_the_other_order_are_the_same_numbers(kind: str, shape: tuple[int, ...]) -> None:
    """By the same program, with no word of compiling again."""
    double = cr.compile(lambda x: x + x)
    array = np.arange(math.prod(shape)).reshape(shape).astype(kind) + 1
    for given in (array, array.astype(array.dtype.newbyteorder()), array):
        found = double(given).numpy()
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array + array)
    assert len(double._entries) == 1


def test_a_zero_below_zero_is_another_number() -> None:
    times = cr.compile(lambda x, y: x * y)
    assert math.copysign(1, times(cr.tensor(1.0), -0.0).item()) == -1
    with pytest.warns(RecompileWarning, match=r"y is 0\.0, and was -0\.0"):
        assert math.copysign(1, times(cr.tensor(1.0), 0.0).item()) == 1


@pytest.mark.parametrize("array", [np.ones(3, np.float16), np.array(["a"]), np.ma.masked_less([1.0, 2.0], 1.5)])
def test_arrays_that_no_program_takes_are_refused(array: Any) -> None:
    """They were part of the program, as they were when it was traced."""
    with pytest.raises(DtypeError, match=r"masked|not supported"):
        cr.compile(lambda x, y: x * len(y))(cr.tensor(1.0), array)
