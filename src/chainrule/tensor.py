"""Tensor: the user's handle on an array or on a traced value. Parameter: a tensor that is trained.

A handle is a cell: `assign` gives it new contents. The values behind it never change, so nothing that was computed
from the old contents is disturbed.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Self

import numpy as np

from .errors import DtypeError, GradientError, ShapeError, TraceError
from .ir.build import current_trace, recording
from .ir.graph import Value
from .ir.operand import MEANING, Operand
from .ir.primitive import NumpyArray
from .ir.types import ArrayType, DType, Shape, as_dtype
from .ops.operators import own_array
from .source import user_source

TRACED = (
    "{what} needs the elements of a traced value, which are not known while a program is being traced. "
    "For a choice between arrays use cr.where(condition, x, y); to look at values, run the function without tracing it"
)


class Content(Value):
    """The contents of a cell: a value that knows its handle, so that gradients find their way to `.grad`."""

    __slots__ = ("owner",)


class Tensor(Operand):
    """An array that remembers how it was computed.

    Make one with `cr.tensor(data)`. Its operators and methods follow NumPy and the Python Array API standard;
    `requires_grad`, `backward()` and `grad` follow PyTorch.

    >>> import chainrule as cr
    >>> x = cr.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "_value", "grad")

    _value: Value
    grad: Tensor | None

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        array = data.numpy() if isinstance(data, Tensor) else data
        self._value = self._content(_as_array(array, dtype), requires_grad)
        self.grad = None

    def _content(self, array: NumpyArray, requires_grad: bool) -> Content:
        kind = ArrayType(array.shape, array.dtype)
        if requires_grad and not kind.is_float:
            raise DtypeError(f"only floats can require a gradient, but this tensor is {kind}")
        content = Content(kind, array, tracked=requires_grad, source=user_source())
        content.owner = weakref.ref(self)
        return content

    # -- what it is

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return self._value.type.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self._value.type.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size

    @property
    def nbytes(self) -> int:
        """Bytes of its elements."""
        return self._value.type.nbytes

    @property
    def is_traced(self) -> bool:
        """Whether it stands for an array that is not computed yet."""
        return self._value.data is None

    @property
    def is_leaf(self) -> bool:
        """Whether nothing computed it, as far as gradients are concerned."""
        return self._value.equation is None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through it."""
        return self._value.tracked

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, wanted: bool = True) -> Self:
        """Say whether gradients are collected in `.grad`; only for tensors that nothing computed."""
        if wanted == self.requires_grad:
            return self
        if not self.is_leaf:
            raise GradientError("requires_grad can only be changed on a tensor that nothing computed; use detach() first")
        self._value = self._content(self._array("requires_grad_"), wanted)
        return self

    # -- its elements

    def _array(self, what: str) -> NumpyArray:
        if self._value.data is None:
            raise TraceError(TRACED.format(what=what))
        return self._value.data

    def numpy(self) -> NumpyArray:
        """The elements as a read-only NumPy view, without a copy."""
        view = self._array("numpy()").view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.size != 1:
            raise ShapeError(f"item() needs a tensor of one element, but this one is {self._value.type}")
        return self._array("item()").reshape(()).item()

    def tolist(self) -> Any:
        """The elements as nested Python lists."""
        return self._array("tolist()").tolist()

    def assign(self, contents: Any) -> Self:
        """Replace the contents in place; shape and element type must stay. How optimisers update weights."""
        array = contents._array("assign()") if isinstance(contents, Tensor) else own_array(contents)
        if array.shape != self.shape or array.dtype != self.dtype:
            given = ArrayType(array.shape, array.dtype)
            raise ShapeError(f"assign: this tensor is {self._value.type}, but was given {given}")
        if not self.is_leaf:
            raise GradientError("assign works on a tensor that nothing computed; use detach() first")
        self._value = self._content(array, self.requires_grad)
        return self

    def recast(self, dtype: Any) -> Self:
        """Give the contents another element type in place; the gradient is forgotten."""
        if not self.is_leaf:
            raise GradientError("recast works on a tensor that nothing computed; use astype() for a new tensor")
        self._value = self._content(self._array("recast()").astype(as_dtype(dtype)), self.requires_grad)
        self.grad = None
        return self

    @property
    def data(self) -> Tensor:
        """The same elements, cut off from gradients (PyTorch's name; see `detach` and `assign`)."""
        return self.detach()

    @data.setter
    def data(self, contents: Any) -> None:
        self.assign(contents)

    def detach(self) -> Tensor:
        """The same elements, cut off from gradients."""
        return wrap(MEANING["stop_gradient"](self._value)) if self.is_traced else wrap(_known(self._value))

    def clone(self) -> Tensor:
        """A new tensor of the same elements that gradients pass through."""
        return wrap(MEANING["identity"](self._value))

    # -- gradients

    def backward(self, gradient: Any = None, create_graph: bool = False) -> None:
        """Carry the error back: add to `.grad` of every tensor that requires a gradient and led to this one.

        gradient: cotangent of this tensor, of its shape; may be left out for a single element (a loss).
        create_graph: record the backward pass, so that the gradients can be differentiated again.
        Raises GradientError where nothing that led here requires a gradient.
        """
        from .autodiff import leaf_gradients

        with recording(create_graph):
            cotangent = None if gradient is None else unwrap(gradient)
            for content, gradient_value in leaf_gradients(self._value, cotangent):
                owner = content.owner() if isinstance(content, Content) else None
                if owner is not None:
                    owner._accumulate(gradient_value)

    def _accumulate(self, gradient: Value) -> None:
        total = gradient if self.grad is None else MEANING["add"](self.grad._value, gradient)
        self.grad = wrap(total)

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    # -- how Python sees it

    def _operator(self, name: str, *operands: Any) -> Self:
        return wrap(MEANING[name](*(unwrap(operand) for operand in operands)))  # type: ignore[return-value]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NumpyArray:
        array = self.numpy()
        return array if dtype is None and not copy else np.array(array, dtype)

    def __bool__(self) -> bool:
        if self._value.data is None:
            _raise_branch()
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.size != 1:
            raise DtypeError(f"only a single integer can be used as an index, but this tensor is {self._value.type}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise ShapeError("a tensor without axes has no length")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    def __contains__(self, number: Any) -> bool:
        return bool((self.numpy() == number).any())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else str(self)

    def __repr__(self) -> str:
        if self._value.data is None:
            return f"tensor(traced {self._value.type})"
        body = np.array2string(self._value.data, separator=", ", prefix="tensor(")
        dtype = "" if self.dtype.name in ("float32", "int64", "bool") else f", dtype={self.dtype.name}"
        return f"tensor({body}{dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        copy = type(self)(self.numpy(), requires_grad=self.requires_grad)
        copy.grad = None if self.grad is None else Tensor(self.grad.numpy())
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> NoReturn:
        raise TypeError("tensors are not pickled; save them with chainrule.interop.save_file (safetensors)")


class Parameter(Tensor):
    """A tensor that is trained: it requires a gradient and a module lists it."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = True) -> None:
        super().__init__(data, dtype, requires_grad)


def _as_array(data: Any, dtype: Any) -> NumpyArray:
    if dtype is None:
        return own_array(data)
    return np.array(data, as_dtype(dtype))


def _known(value: Value) -> Value:
    return Value(value.type, value.data)


def _raise_branch() -> NoReturn:
    raise TraceError(
        "a Python `if`, `while`, `and`, `or`, `not` or `assert` asked a traced value whether it is true. "
        "Its elements are not known while the program is traced, so both ways must be part of the program: "
        "use cr.where(condition, x, y) to choose between arrays"
    )


def wrap(result: Any) -> Any:
    """Values as Tensors, in tuples and lists too."""
    if isinstance(result, Value):
        tensor = Tensor.__new__(Tensor)
        tensor._value = result
        tensor.grad = None
        return tensor
    if isinstance(result, tuple | list):
        return type(result)(wrap(each) for each in result)
    return result


def unwrap(operand: Any) -> Any:
    """Tensors as Values, in tuples, lists and dicts too."""
    if isinstance(operand, Tensor):
        return operand._value
    if type(operand) in (tuple, list):
        return type(operand)(unwrap(each) for each in operand)
    return operand


def lifted(function: Callable[..., Any], name: str | None = None, doc: str | None = None) -> Callable[..., Any]:
    """A function of Values as a function of Tensors."""

    @functools.wraps(function)
    def on_tensors(*args: Any, **kwargs: Any) -> Any:
        return wrap(function(*map(unwrap, args), **{key: unwrap(each) for key, each in kwargs.items()}))

    on_tensors.__module__ = "chainrule"
    on_tensors.__name__ = on_tensors.__qualname__ = name or function.__name__
    on_tensors.__doc__ = doc or function.__doc__
    return on_tensors


def tensor(data: Any, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor holding a copy of `data`: Python floats become float32, integers int64, NumPy arrays keep their type."""
    return Tensor(data, dtype, requires_grad)


def asarray(data: Any, dtype: Any = None) -> Tensor:
    """`data` as a tensor; a tensor of the right type is returned as it is."""
    if isinstance(data, Tensor):
        if dtype is None or as_dtype(dtype) == data.dtype:
            return data
        return wrap(MEANING["astype"](data._value, dtype))  # type: ignore[no-any-return]
    return Tensor(data, dtype)


def in_trace() -> bool:
    """Whether a function is being traced in this thread."""
    return current_trace() is not None


def no_gradient(x: Any) -> Tensor:
    """x, cut off from gradients, traced or not."""
    return wrap(MEANING["stop_gradient"](asarray(x)._value))  # type: ignore[no-any-return]
