"""Tensor: the user's handle on an array or on a traced value. Parameter: a tensor that is trained.

A handle is a cell: `assign` gives it new contents. The values behind it never change, so nothing that was computed
from the old contents is disturbed.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any, NoReturn, Protocol, Self

import numpy as np

from ..errors import DtypeError, GradientError, NoGradientError, ShapeError, TraceError
from ..ir.build import current_trace, is_recording, recording
from ..ir.graph import Value
from ..ir.memory import copied
from ..ir.operand import MEANING
from ..ir.types import ArrayType, NumpyArray, as_dtype
from ..ops.operators import lift, own_array, refuse_masked
from ..source import user_source
from .change import TensorChange
from .contents import APART, Content, note_made


class Watcher(Protocol):
    """A capture, as tensors see it: it is told what is written, and what is looked at."""

    def will_replace(self, owner: Tensor) -> None: ...

    def will_write(self, owner: Tensor) -> None: ...

    def written(self, contents: Value, before: Value) -> Content: ...

    def will_change_gradient(self, owner: Tensor) -> None: ...

    def gradient(self, owner: Tensor) -> Tensor | None: ...

    def looked_at(self, owner: Tensor, what: str) -> None: ...

    def is_trained(self, value: Value) -> bool: ...


FOR_GOOD = (
    "{what} changes what a tensor is for all calls to come, but a compiled function is traced only once, and that "
    "would happen only then. Call it outside, before the compiled function, which is then compiled anew; in here "
    "{instead}"
)


def watcher() -> Watcher | None:
    """The capture under way in this thread, if any."""
    found: Any = current_trace()
    return found if getattr(found, "watches", False) else None


def _owner_of(leaf: Value) -> Tensor | None:
    return leaf.owner() if isinstance(leaf, Content) else None


class Tensor(TensorChange):
    """An array that remembers how it was computed.

    Make one with `cr.tensor(data)`. Its operators and methods follow NumPy and the Python Array API standard;
    `requires_grad`, `backward()` and `grad` follow PyTorch.

    >>> import chainrule as cr
    >>> x = cr.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = False) -> None:
        array = data.numpy() if isinstance(data, Tensor) else data
        self._own_value = self._content(_as_array(array, dtype), requires_grad)
        self._own_grad = None
        if APART:
            note_made(self)

    def _content(self, array: NumpyArray, requires_grad: bool) -> Content:
        kind = ArrayType(array.shape, array.dtype)
        if requires_grad and not kind.is_float:
            raise DtypeError(f"only floats can require a gradient, but this tensor is {kind}")
        content = Content(kind, array, tracked=requires_grad, source=user_source())
        content.owner = weakref.ref(self)
        return content

    @property
    def is_leaf(self) -> bool:
        """Whether nothing computed it, as far as gradients are concerned."""
        return self._value.is_leaf or not self.requires_grad

    @property
    def grad(self) -> Tensor | None:
        """The gradient that `backward` collected."""
        capture = watcher()
        return self._grad if capture is None else capture.gradient(self)

    @grad.setter
    def grad(self, gradient: Tensor | None) -> None:
        capture = watcher()
        if capture is not None:
            capture.will_change_gradient(self)
        self._grad = gradient

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through it."""
        value = self._value
        if value.data is not None or not value.tracked:
            return value.tracked
        capture = watcher()
        return capture is None or capture.is_trained(value)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, wanted: bool = True) -> Self:
        """Say whether gradients are collected in `.grad`; only for tensors that nothing computed."""
        capture = watcher()
        if wanted and capture is not None and self._may_begin(capture):
            return self._begin(capture)
        if wanted == self.requires_grad:
            return self
        if not self._value.is_leaf:
            raise GradientError(
                "requires_grad can only be changed on a tensor that nothing computed; use detach() first"
            )
        self._refuse_traced("requires_grad_()", "detach() or cr.no_grad() keep gradients away from a tensor")
        self._settle(self._content(self._array("requires_grad_"), wanted))
        return self

    def _may_begin(self, capture: Watcher) -> bool:
        """Whether it is traced, but nothing that requires a gradient led to it: an argument, or detached."""
        value = self._value
        if not value.type.is_float or value.data is not None or isinstance(value, Content):
            return False
        return value.is_placeholder or not value.tracked or not capture.is_trained(value)

    def _begin(self, capture: Watcher) -> Self:
        """Gradients go to this traced tensor from here on, and no further."""
        content = capture.written(self._value, self._value)
        content.tracked = True
        content.owner = weakref.ref(self)
        self._value = content
        return self

    # -- its elements

    def assign(self, contents: Any) -> Self:
        """Replace the contents in place; shape and element type must stay. How optimisers update weights."""
        capture = watcher()
        if capture is not None:
            return self._assign_traced(contents, capture)
        array = contents._array("assign()") if isinstance(contents, Tensor) else own_array(self._weak(contents))
        if array.shape != self.shape or array.dtype != self.dtype:
            given = ArrayType(array.shape, array.dtype)
            raise ShapeError(f"assign: this tensor is {self._value.type}, but was given {given}")
        if not self._value.is_leaf:
            raise GradientError("assign works on a tensor that nothing computed; use detach() first")
        self._settle(self._content(array, self.requires_grad))
        return self

    def _assign_traced(self, contents: Any, capture: Watcher) -> Self:
        given = contents._value if isinstance(contents, Tensor) else lift(own_array(self._weak(contents)))
        if given.type != self._value.type:
            raise ShapeError(f"assign: this tensor is {self._value.type}, but was given {given.type}")
        if not self._value.is_leaf:
            raise GradientError("assign works on a tensor that nothing computed; use detach() first")
        capture.will_write(self)
        content = capture.written(given, self._value)
        content.owner = weakref.ref(self)
        self._value = content
        return self

    def _replace(self, contents: Value, what: str) -> Self:
        """Take what an operation gave for the contents: how x += y and x[key] = value work."""
        if contents.type != self._value.type:
            raise ShapeError(
                f"{what} keeps shape and element type: this tensor is {self._value.type}, but the result is "
                f"{contents.type}; write x = x + y for a new tensor"
            )
        if self._value.is_leaf and self.requires_grad and is_recording() and not self._value.is_placeholder:
            raise GradientError(
                f"{what} on a tensor that requires a gradient would change what gradients are asked for; do it in "
                "cr.no_grad(), or write x = x + y for a new tensor"
            )
        is_cell, records = isinstance(self._value, Content), contents.tracked and is_recording()
        if is_cell and not records:
            return self.assign(wrap(contents))
        capture = watcher()
        if capture is not None:
            capture.will_replace(self)
        elif self.is_leaf and not records and contents.data is not None:
            return self.assign(wrap(contents))  # what changes is a cell from here on
        self._value = contents
        return self

    def _weak(self, data: Any) -> Any:
        """Python numbers and lists of them take the element type of this tensor; arrays keep their own."""
        if not isinstance(data, bool | int | float | complex | list | tuple):
            return data
        natural = own_array(data)
        ranks = {"b": 0, "i": 0, "u": 0, "V": 1, "f": 1, "c": 2}  # floats are not cut off to integers
        fits = ranks[self.dtype.kind] >= ranks[natural.dtype.kind]
        return _as_array(data, self.dtype) if fits else natural

    def recast(self, dtype: Any) -> Self:
        """Give the contents another element type in place; the gradient is forgotten."""
        if not self._value.is_leaf:
            raise GradientError("recast works on a tensor that nothing computed; use astype() for a new tensor")
        self._refuse_traced("recast() (or to() of a module)", "astype() gives a new tensor of another type")
        self._settle(self._content(self._array("recast()").astype(as_dtype(dtype)), self.requires_grad))
        self.grad = None
        return self

    def _refuse_traced(self, what: str, instead: str) -> None:
        if watcher() is not None and (isinstance(self, Parameter) or self._value.data is None):
            raise TraceError(FOR_GOOD.format(what=what, instead=instead))

    @property
    def data(self) -> Tensor:
        """The same elements, cut off from gradients (PyTorch's name; see `detach` and `assign`)."""
        return self.detach()

    @data.setter
    def data(self, contents: Any) -> None:
        self.assign(contents)

    def detach(self) -> Tensor:
        """The same elements, cut off from gradients."""
        traced = self.is_traced or watcher() is not None
        value = MEANING["stop_gradient"](self._value) if traced else Value(self._value.type, self._value.data)
        result: Tensor = wrap(value)
        return result

    def clone(self) -> Tensor:
        """A new tensor of the same elements that gradients pass through."""
        return self._apply(MEANING["identity"])

    # -- gradients

    def backward(self, gradient: Any = None, create_graph: bool = False) -> None:
        """Carry the error back: add to `.grad` of every tensor that requires a gradient and led to this one.

        gradient: cotangent of this tensor, of its shape; may be left out for a single element (a loss).
        create_graph: record the backward pass, so that the gradients can be differentiated again.
        Raises NoGradientError where nothing that led here requires a gradient.
        """
        from ..autodiff import NOTHING_REQUIRES, leaf_gradients

        with recording(create_graph):
            cotangent = None if gradient is None else lift(unwrap(self._weak(gradient)))
            found = leaf_gradients(self._value, cotangent)
            owned = [(_owner_of(content), gradient) for content, gradient in found]
            if watcher() is not None and all(owner is None for owner, _ in owned):
                raise NoGradientError(NOTHING_REQUIRES)  # only arguments led here: a trace follows them all the same
            for owner, gradient in owned:
                if owner is not None:
                    owner._accumulate(gradient)

    def _accumulate(self, gradient: Value) -> None:
        before = self.grad
        self.grad = wrap(gradient if before is None else MEANING["add"](before._value, gradient))

    def zero_grad(self) -> None:
        """Forget the gradient."""
        self.grad = None

    def _array(self, what: str) -> NumpyArray:
        capture = watcher()
        if capture is not None and self._value.data is not None:
            capture.looked_at(self, what)
        return super()._array(what)

    # -- how functions reach it

    def _apply(self, function: Callable[..., Any], *args: Any) -> Tensor:
        result: Tensor = wrap(function(unwrap(self), *map(unwrap, args)))
        return result

    def _operator(self, name: str, *operands: Any) -> Self:
        result: Self = wrap(MEANING[name](*map(unwrap, operands)))
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        if self.is_traced:
            raise TraceError(
                "copy was given a traced value: use x.clone(), which gradients pass through, or x.detach()"
            )
        copy = type(self)(self._array("copy"), requires_grad=self.requires_grad)
        copy.grad = None if self.grad is None else Tensor(self.grad.numpy())
        memo[id(self)] = copy
        return copy

    def __copy__(self) -> Self:
        return self.__deepcopy__({})  # two handles of one content would share one gradient

    def __reduce__(self) -> NoReturn:
        raise TypeError("tensors are not pickled; save them with chainrule.interop.save_file (safetensors)")


MADE_OF_TRACED = (
    "a Parameter can't be made of a traced value: each run would make another one, while modules and optimisers hold "
    "the one of the trace. Give the parameter that is there other contents (with cr.no_grad(): weight.assign(...)); "
    "a weight that each run computes needs no Parameter: give the tensor to a function, as nn.functional.linear"
)


class Parameter(Tensor):
    """A tensor that is trained: it requires a gradient and a module lists it."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None, requires_grad: bool = True) -> None:
        if isinstance(data, Tensor) and data.is_traced:
            raise TraceError(MADE_OF_TRACED)
        super().__init__(data, dtype, requires_grad)


class Moment(Tensor):
    """A tensor that an optimiser keeps for a parameter."""

    __slots__ = ()


def _as_array(data: Any, dtype: Any) -> NumpyArray:
    _refuse_tracked(data)
    if dtype is None:
        return own_array(data)
    wanted = as_dtype(dtype)
    refuse_masked(data)
    try:
        with np.errstate(over="ignore"):  # too large for its type is infinite
            _refuse_complex(data, wanted)
            return copied(data if isinstance(data, np.ndarray) else np.array(data, wanted), wanted)
    except (ValueError, TypeError, OverflowError) as error:
        raise DtypeError(f"can't make an array of {wanted} of this: {error}") from None


def _refuse_complex(data: Any, wanted: Any) -> None:
    """NumPy would warn and take the real part."""
    if wanted.kind in "fiuV" and np.iscomplexobj(data):
        raise DtypeError(f"complex numbers can't become {wanted}: take a part of them, with cr.real or cr.imag")


def _refuse_tracked(data: Any) -> None:
    """A list of tensors that gradients flow through would lose them silently."""
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if first is not data and isinstance(first, Tensor) and first.requires_grad:
        raise GradientError("a tensor made of tracked tensors would cut their gradients; join them with cr.stack")


def wrap(result: Any) -> Any:
    """Values as Tensors, in tuples and lists too."""
    if isinstance(result, Value):
        tensor = Tensor.__new__(Tensor)
        tensor._own_value = result
        tensor._own_grad = None
        if APART:
            note_made(tensor)
        return tensor
    if isinstance(result, tuple) and hasattr(result, "_make"):
        return result._make(map(wrap, result))
    if isinstance(result, tuple | list):
        return type(result)(wrap(each) for each in result)
    return result


def unwrap(operand: Any) -> Any:
    """Tensors as Values, in tuples, lists and dicts too."""
    if isinstance(operand, Tensor):
        return operand._value if APART else operand._own_value
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
    if not isinstance(data, Tensor) or not data.is_traced:
        return Tensor(data, dtype, requires_grad)
    copy = no_gradient(data if dtype is None else data.astype(dtype))  # a function given arrays does so eagerly, too
    return copy.requires_grad_() if requires_grad else copy


def asarray(data: Any, dtype: Any = None) -> Tensor:
    """`data` as a tensor; a tensor of the right type is returned as it is."""
    if isinstance(data, Tensor):
        if dtype is None or as_dtype(dtype) == data.dtype:
            return data
        return data.astype(dtype)
    return Tensor(data, dtype)


def in_trace() -> bool:
    """Whether a function is being traced in this thread."""
    return current_trace() is not None


def no_gradient(x: Any) -> Tensor:
    """x, cut off from gradients, traced or not."""
    return asarray(x)._apply(MEANING["stop_gradient"])
