"""DLPack both ways: NumPy always, PyTorch and JAX where they are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import DtypeError, TraceError

DTYPES = ["float32", "float64", "int8", "int64", "uint8", "bool"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_both_ways(dtype: str) -> None:
    array = (np.arange(6).reshape(2, 3) % 4).astype(dtype)
    ours = cr.from_dlpack(array)
    assert ours.dtype == dtype and ours.shape == (2, 3)
    back = np.from_dlpack(ours)
    np.testing.assert_array_equal(back, array)
    array[0, 0] = 3
    assert ours.numpy()[0, 0] == 0  # a copy was taken


def test_sharing_is_asked_for() -> None:
    array = np.zeros(3)
    assert np.shares_memory(cr.from_dlpack(array, copy=False).numpy(), array)
    assert not np.shares_memory(cr.from_dlpack(array).numpy(), array)
    with pytest.raises(BufferError, match="read-only"):
        cr.tensor(array).__dlpack__(copy=False)


@pytest.mark.oracle
def test_pytorch_both_ways_and_what_it_writes_is_its_own() -> None:
    torch = pytest.importorskip("torch")
    ours = cr.tensor(np.arange(6.0).reshape(2, 3))
    theirs = torch.from_dlpack(ours)
    np.testing.assert_array_equal(theirs.numpy(), ours.numpy())
    theirs[0, 0] = 7.0
    assert ours.numpy()[0, 0] == 0.0
    np.testing.assert_array_equal(cr.from_dlpack(theirs.T).numpy(), theirs.T.numpy())
    np.testing.assert_array_equal(np.asarray(torch.as_tensor(np.array(ours))), ours.numpy())


@pytest.mark.oracle
def test_jax_both_ways() -> None:
    jax = pytest.importorskip("jax")
    ours = cr.tensor(np.arange(6, dtype=np.float32).reshape(2, 3))
    theirs = jax.dlpack.from_dlpack(ours)
    np.testing.assert_array_equal(np.asarray(theirs), ours.numpy())
    np.testing.assert_array_equal(cr.from_dlpack(theirs * 2).numpy(), 2 * ours.numpy())


def test_what_can_not_be_taken_is_named() -> None:
    with pytest.raises(DtypeError, match="float16"):
        cr.from_dlpack(np.zeros(2, np.float16))

    def function(x: Any) -> Any:
        return np.from_dlpack(x)

    with pytest.raises(TraceError):
        cr.trace(function)(cr.zeros(3))
