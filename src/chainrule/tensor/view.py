"""Reading a tensor: what it is, its elements, and what Python's own functions see in it."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .. import tree
from ..errors import DtypeError, ShapeError, TraceError
from ..ir.build import current_trace
from ..ir.types import DType, NumpyArray, Shape, is_bfloat16
from ..ops.composite import require_processor
from .contents import Holder
from .methods import ArrayMethods
from .numpy_calls import operator_of, refusal, shown

if TYPE_CHECKING:
    from . import Tensor

TRACED = (
    "{what} needs the elements of a traced value, which are not known while a program is being traced. "
    "For a choice between arrays use cr.where(condition, x, y), for a choice between computations cr.cond, for loops "
    "cr.scan or cr.while_loop; to look at values, run the function without tracing or compiling it"
)
LEFT = (
    "{what} needs the elements of a value that a compiled or traced function kept (in a list, a global, an attribute) "
    "while it was traced. Each run computes such values anew, and gives what the function returns: return it, and keep "
    "what the call gives"
)
BRANCH = (
    "a Python `if`, `while`, `and`, `or`, `not` or `assert` (or `max`, `min`, `sorted`) asked a traced value whether "
    "it is true. Its elements are not known while the program is traced, so both ways must be part of the program: use "
    "cr.where(condition, x, y) to choose between arrays, cr.cond to choose between computations, cr.scan or "
    "cr.while_loop for loops, &, | and ~ for `and`, `or` and `not`, and cr.maximum for `max`"
)


class TensorView(Holder, ArrayMethods):
    """Everything about a tensor that reads it: nothing here changes it or knows of gradients."""

    __slots__ = ()

    # -- what it is

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self._own_value.type.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self._own_value.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._own_value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._own_value.size

    @property
    def device(self) -> str:
        """Where its elements are: the processor."""
        return "cpu"

    def to_device(self, device: Any, /, *, stream: Any = None) -> Tensor:
        """Itself: there is one device, the processor."""
        require_processor(device)
        return cast("Tensor", self)

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self._own_value.type.nbytes

    @property
    def is_traced(self) -> bool:
        """Whether it stands for an array that is not computed yet."""
        return self._value.data is None

    # -- its elements

    def _array(self, what: str) -> NumpyArray:
        elements = self._value.data
        if elements is None:
            raise TraceError((LEFT if current_trace() is None else TRACED).format(what=what))
        return elements

    def numpy(self) -> NumpyArray:
        """The elements as a read-only NumPy view, without a copy."""
        view = self._array("numpy()").view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one element as a Python number."""
        return self._one("item()")

    def _one(self, what: str) -> Any:
        if self.size != 1:
            raise ShapeError(f"{what} needs a tensor of one element, but this one is {self._value.type}")
        return self._array(what).reshape(()).item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self._array("tolist()").tolist()

    # -- how Python sees it

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumpyArray:
        return np.array(self.numpy(), dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        reflected = operator_of(ufunc, method, inputs, options)
        if reflected is not None:
            return getattr(inputs[1], reflected)(inputs[0])
        name = f"np.{ufunc.__name__}{'' if method == '__call__' else '.' + method}"
        raise refusal(ufunc, name, any(isinstance(each, TensorView) and each.is_traced for each in inputs))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        try:
            return function._implementation(*args, **options)
        except TypeError as error:
            leaves = tree.flatten((args, options))[0]
            if any(isinstance(leaf, TensorView) and leaf.is_traced for leaf in leaves):
                raise refusal(function, shown(function), True) from None
            error.add_note(str(refusal(function, shown(function), False)))
            raise

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: Any = None,
        copy: bool | None = None,
    ) -> Any:
        """The elements for another library (DLPack): a copy, since not all heed that ours are read-only.

        copy=False shares the memory, marked read-only, with libraries that know DLPack 1.0.
        """
        if is_bfloat16(self.dtype):
            raise BufferError("NumPy hands over no bfloat16; astype('float32') first, which changes no number")
        if copy is not False:
            return np.array(self._array("__dlpack__()")).__dlpack__()
        if max_version is None or max_version[0] < 1:
            raise BufferError("elements of a tensor are read-only, which a library older than DLPack 1.0 does not know")
        return self.numpy().__dlpack__(max_version=max_version)

    def __dlpack_device__(self) -> tuple[int, int]:
        """The processor."""
        return (1, 0)

    def __array_namespace__(self, *, api_version: str | None = None) -> ModuleType:
        """The module whose functions take these arrays (Python Array API standard)."""
        from importlib import import_module

        from ..namespace import API_VERSION

        known = ("2021.12", "2022.12", "2023.12", API_VERSION)
        if api_version is not None and api_version not in known:
            raise ValueError(f"the version of the Array API standard is one of {', '.join(known)}, not {api_version}")
        return import_module("..", __package__)

    def __bool__(self) -> bool:
        if self.is_traced:
            raise TraceError(BRANCH)
        if self.size != 1:
            raise ShapeError(f"whether {self._value.type} is true is not clear: use any() or all()")
        return bool(self.item())

    def __float__(self) -> float:
        return float(self._one("float()"))

    def __complex__(self) -> complex:
        return complex(self._one("complex()"))

    def __int__(self) -> int:
        return int(self._one("int()"))

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise DtypeError(f"only a single integer can be used as an index, but this tensor is {self._value.type}")
        return int(self._one("range() or an index of Python"))

    def __len__(self) -> int:
        if not self.ndim:
            raise ShapeError("a tensor without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        rows = cast("Tensor", self)
        return (rows[index] for index in range(len(self)))

    def __contains__(self, number: Any) -> bool:
        return bool((self._array("`in`") == number).any())

    def __round__(self, digits: int | None = None) -> Tensor:
        scale = 10.0 ** abs(digits or 0)
        if not digits or (digits > 0 and self.dtype.kind in "iu"):
            return self.round()
        return (self * scale).round() / scale if digits > 0 else (self / scale).round() * scale

    def __format__(self, spec: str) -> str:
        return format(self._one("a format like {x:.3f}"), spec) if spec and self.size == 1 else str(self)

    def __repr__(self) -> str:
        if self.is_traced:
            return f"tensor(traced {self._value.type})"
        body = np.array2string(self._array("repr"), separator=", ", prefix="tensor(")
        dtype = "" if self.dtype.name in ("float32", "int64", "bool") else f", dtype={self.dtype.name}"
        return f"tensor({body}{dtype}{', requires_grad=True' if self._value.tracked else ''})"
