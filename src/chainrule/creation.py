"""New tensors: of a number, of numbers in a row, from arrays of other libraries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ConfigurationError, DtypeError
from .ir.build import constant, splat
from .ir.memory import copied
from .ir.types import ArrayType, as_dtype, as_shape, float32
from .ops import operators
from .ops.composite import require_processor
from .tensor import Tensor, unwrap, wrap
from .tensor import asarray as as_tensor

__all__ = [
    *("arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "ones"),
    *("ones_like", "zeros", "zeros_like"),
]


def asarray(obj: Any, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """`obj` as a tensor; a tensor of the right type is returned as it is, unless copy is True.

    copy=False: a ValueError where a copy would be taken: of everything that is no tensor of the right type.
    """
    require_processor(device)
    result = as_tensor(obj, dtype)
    if copy is False and result is not obj:
        raise ValueError("asarray(copy=False): the elements must be copied or converted; leave copy out")
    return result.clone() if copy and result is obj else result


def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of one number; float32 for a float, int64 for an integer, unless dtype says otherwise."""
    require_processor(device)
    if not isinstance(fill_value, bool | int | float | complex | np.number | np.bool_):
        raise DtypeError(
            f"fill_value is a number, but was given as {fill_value!r}; to repeat a tensor use broadcast_to"
        )
    wanted = operators.lift(fill_value).dtype if dtype is None else as_dtype(dtype)
    if wanted.kind in "iu":
        operators.check_fits(fill_value, wanted)  # type: ignore[arg-type]
    number: Any = fill_value
    result: Tensor = wrap(splat(number, ArrayType(as_shape(shape), wanted)))
    return result


def from_dlpack(x: Any, device: Any = None, copy: bool | None = None) -> Tensor:
    """The elements of an array of another library (PyTorch, JAX, CuPy on the processor ...) as a tensor.

    They are copied, because that library may change them later; copy=False shares the memory: change nothing then.
    Raises DtypeError for an element type that is not known here.

    >>> import numpy as np
    >>> from_dlpack(np.array([1.0, 2.0]))
    tensor([1., 2.], dtype=float64)
    """
    if device not in (None, "cpu", (1, 0)):
        require_processor(device)
    array = np.from_dlpack(x)
    as_dtype(array.dtype)
    result: Tensor = wrap(constant(array)) if copy is False else Tensor(array)
    return result


def zeros(shape: int | Sequence[int], dtype: Any = float32, device: Any = None) -> Tensor:
    """A tensor of zeros."""
    return full(shape, 0, float32 if dtype is None else dtype, device)


def ones(shape: int | Sequence[int], dtype: Any = float32, device: Any = None) -> Tensor:
    """A tensor of ones."""
    return full(shape, 1, float32 if dtype is None else dtype, device)


def empty(shape: int | Sequence[int], dtype: Any = float32, device: Any = None) -> Tensor:
    """A tensor whose elements don't matter: zeros, so that two runs have the same bits."""
    return zeros(shape, dtype, device)


def full_like(x: Any, fill_value: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of one number, of the shape of `x`."""
    value = operators.lift(unwrap(x))
    return full(value.shape, fill_value, value.dtype if dtype is None else dtype, device)


def zeros_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of zeros, of the shape of `x`."""
    return full_like(x, 0, dtype, device)


def ones_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of ones, of the shape of `x`."""
    return full_like(x, 1, dtype, device)


def empty_like(x: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the shape of `x` whose elements don't matter: zeros."""
    return zeros_like(x, dtype, device)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None, device: Any = None) -> Tensor:
    """Numbers from start up to, not including, stop; int64 for integers, else float32."""
    require_processor(device)
    first, last = (0, start) if stop is None else (start, stop)
    if step == 0:
        raise ConfigurationError("arange: a step of 0 never arrives")
    whole = _all_integers(first, last, step)
    wanted = as_dtype(dtype) if dtype is not None else as_dtype(np.int64 if whole else float32)
    result: Tensor = wrap(constant(copied(np.arange(first, last, step), wanted)))
    return result


def _all_integers(*numbers: Any) -> bool:
    """Whether all are Python or NumPy integers."""
    return not [number for number in numbers if not isinstance(number, int | np.integer)]


def linspace(start: Any, stop: Any, num: int, dtype: Any = None, device: Any = None, endpoint: bool = True) -> Tensor:
    """`num` numbers evenly spaced from start to stop."""
    require_processor(device)
    wanted = _inexact_dtype(start, stop) if dtype is None else as_dtype(dtype)
    result: Tensor = wrap(constant(copied(np.linspace(start, stop, num, endpoint), wanted)))
    return result


def _inexact_dtype(*numbers: Any) -> Any:
    """The default element type of numbers that are no integers."""
    return np.dtype(np.complex64) if [each for each in numbers if isinstance(each, complex)] else float32


def eye(n_rows: int, n_cols: int | None = None, k: int = 0, dtype: Any = float32, device: Any = None) -> Tensor:
    """Ones on the k-th diagonal, zeros elsewhere."""
    require_processor(device)
    wanted = float32 if dtype is None else as_dtype(dtype)
    result: Tensor = wrap(constant(np.eye(n_rows, n_cols, k, wanted)))
    return result
