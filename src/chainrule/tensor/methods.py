"""The methods of tensors that are array functions with the tensor first: `x.sum(axis=0)` is `cr.sum(x, axis=0)`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from ..ir.operand import Operand
from ..ops import arrays, complex_functions, composite, gathers, operators, running
from ..ops import elementwise as ew
from ..ops.operators import floats_only, unary, unary_float

if TYPE_CHECKING:
    from . import Tensor

Axis = int | Sequence[int] | None


def _listed(sizes: tuple[Any, ...]) -> Any:
    """What `x.reshape(2, 3)` and `x.reshape((2, 3))` both mean."""
    return sizes[0] if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes


class ArrayMethods(Operand):
    """Array functions as methods; a subclass says how one of them is applied."""

    __slots__ = ()

    def _apply(self, function: Callable[..., Any], *args: Any) -> Tensor:
        """`function` of this array and the other arguments."""
        raise NotImplementedError

    # -- elementwise

    def abs(self) -> Tensor:
        """|x|; its derivative at 0 is taken as 0."""
        return self._apply(unary(ew.abs))

    def sign(self) -> Tensor:
        """-1, 0 or 1 by the sign of x."""
        return self._apply(unary(ew.sign))

    @property
    def real(self) -> Tensor:
        """The real part; of real numbers they themselves."""
        return self._apply(complex_functions.real)

    @property
    def imag(self) -> Tensor:
        """The imaginary part."""
        return self._apply(complex_functions.imag)

    def conj(self) -> Tensor:
        """The conjugate."""
        return self._apply(complex_functions.conj)

    def square(self) -> Tensor:
        """x times x."""
        return self._apply(composite.square)

    def sqrt(self) -> Tensor:
        """Square root."""
        return self._apply(unary_float(ew.sqrt))

    def exp(self) -> Tensor:
        """e to the power x."""
        return self._apply(unary_float(ew.exp))

    def log(self) -> Tensor:
        """Natural logarithm."""
        return self._apply(unary_float(ew.log))

    def log1p(self) -> Tensor:
        """log(1 + x), exact near 0."""
        return self._apply(unary_float(ew.log1p))

    def sin(self) -> Tensor:
        """Sine of x radians."""
        return self._apply(unary_float(ew.sin))

    def cos(self) -> Tensor:
        """Cosine of x radians."""
        return self._apply(unary_float(ew.cos))

    def tanh(self) -> Tensor:
        """Hyperbolic tangent."""
        return self._apply(unary_float(ew.tanh))

    def round(self) -> Tensor:
        """The nearest whole number; halves go to the even one."""
        return self._apply(floats_only(ew.round))

    def clip(self, min: Any = None, max: Any = None) -> Tensor:
        """x limited to [min, max]."""
        return self._apply(composite.clip, min, max)

    def isnan(self) -> Tensor:
        """Whether each element is not a number."""
        return self._apply(unary_float(ew.isnan))

    def isinf(self) -> Tensor:
        """Whether each element is infinite."""
        return self._apply(unary_float(ew.isinf))

    def isfinite(self) -> Tensor:
        """Whether each element is neither infinite nor NaN."""
        return self._apply(unary_float(ew.isfinite))

    def astype(self, dtype: Any) -> Tensor:
        """The same numbers in another element type."""
        return self._apply(operators.astype, dtype)

    # -- activations

    def relu(self) -> Tensor:
        """x where positive, else 0."""
        return self._apply(unary_float(ew.relu))

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return self._apply(unary_float(ew.sigmoid))

    def gelu(self, approximate: str = "none") -> Tensor:
        """x · Φ(x)."""
        return self._apply(composite.gelu, approximate)

    def silu(self) -> Tensor:
        """x · sigmoid(x)."""
        return self._apply(composite.silu)

    def softmax(self, axis: int = -1) -> Tensor:
        """exp(x) over its sum along `axis`."""
        return self._apply(composite.softmax, axis)

    def log_softmax(self, axis: int = -1) -> Tensor:
        """log(softmax(x)) without overflow."""
        return self._apply(composite.log_softmax, axis)

    # -- reductions

    def sum(self, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
        """Sum over `axis`."""
        return self._apply(arrays.sum, axis, keepdims, dtype)

    def prod(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Product over `axis`."""
        return self._apply(arrays.prod, axis, keepdims)

    def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Arithmetic mean over `axis`."""
        return self._apply(arrays.mean, axis, keepdims)

    def var(self, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """Variance over `axis`, divided by (n - correction)."""
        return self._apply(arrays.var, axis, correction, keepdims)

    def std(self, axis: Axis = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
        """Standard deviation over `axis`."""
        return self._apply(arrays.std, axis, correction, keepdims)

    def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Largest element over `axis`."""
        return self._apply(arrays.max, axis, keepdims)

    def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Smallest element over `axis`."""
        return self._apply(arrays.min, axis, keepdims)

    def all(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether all elements over `axis` are true."""
        return self._apply(arrays.all, axis, keepdims)

    def any(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """Whether an element over `axis` is true."""
        return self._apply(arrays.any, axis, keepdims)

    def logsumexp(self, axis: Axis = None, keepdims: bool = False) -> Tensor:
        """log(sum(exp(x))) over `axis` without overflow."""
        return self._apply(arrays.logsumexp, axis, keepdims)

    def cumulative_sum(self, axis: int | None = None, include_initial: bool = False) -> Tensor:
        """Running sum along `axis`."""
        return self._apply(arrays.cumulative_sum, axis, None, include_initial)

    def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Index of the first largest element."""
        return self._apply(arrays.argmax, axis, keepdims)

    def argmin(self, axis: int | None = None, keepdims: bool = False) -> Tensor:
        """Index of the first smallest element."""
        return self._apply(arrays.argmin, axis, keepdims)

    def argsort(self, axis: int = -1, descending: bool = False) -> Tensor:
        """Indices that sort along `axis`."""
        return self._apply(arrays.argsort, axis, descending)

    def sort(self, axis: int = -1, descending: bool = False) -> Tensor:
        """Sorted along `axis`."""
        return self._apply(gathers.sort, axis, descending)

    # -- shape

    def reshape(self, *shape: Any) -> Tensor:
        """The same elements in another shape: `x.reshape(2, -1)` or `x.reshape((2, -1))`."""
        return self._apply(arrays.reshape, _listed(shape))

    def view(self, *shape: Any) -> Tensor:
        """PyTorch's name for reshape."""
        return self.reshape(*shape)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Axes from start_dim to end_dim joined into one."""
        return self._apply(arrays.flatten, start_dim, end_dim)

    def squeeze(self, axis: Axis = None) -> Tensor:
        """Axes of size 1 removed."""
        return self._apply(arrays.squeeze, axis)

    def expand_dims(self, axis: int | Sequence[int] = 0) -> Tensor:
        """A new axis of size 1."""
        return self._apply(arrays.expand_dims, axis)

    def unsqueeze(self, axis: int) -> Tensor:
        """PyTorch's name for expand_dims."""
        return self.expand_dims(axis)

    def permute_dims(self, *axes: Any) -> Tensor:
        """Axes in another order: `x.permute_dims(1, 0)` or `x.permute_dims((1, 0))`."""
        return self._apply(arrays.permute_dims, _listed(axes))

    def permute(self, *axes: Any) -> Tensor:
        """PyTorch's name for permute_dims."""
        return self.permute_dims(*axes)

    def swapaxes(self, first: int, second: int) -> Tensor:
        """Two axes exchanged."""
        return self._apply(arrays.swapaxes, first, second)

    def transpose(self, first: int, second: int) -> Tensor:
        """PyTorch's name for swapaxes."""
        return self.swapaxes(first, second)

    def moveaxis(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
        """One axis, or several, moved to other places."""
        return self._apply(arrays.moveaxis, source, destination)

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        return self._apply(arrays.reverse_dims)

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped."""
        return self._apply(arrays.matrix_transpose)

    def flip(self, axis: Axis = None) -> Tensor:
        """Order of elements reversed along `axis`."""
        return self._apply(arrays.flip, axis)

    def pad(self, widths: Sequence[tuple[int, int]], value: float = 0.0) -> Tensor:
        """`value` added around: widths[i] = (before, after) along axis i."""
        return self._apply(arrays.pad, widths, value)

    def tile(self, repetitions: Sequence[int] | int) -> Tensor:
        """The whole array repeated along each axis."""
        return self._apply(running.tile, repetitions)

    def repeat(self, repeats: Any, axis: int | None = None) -> Tensor:
        """Each element repeated along `axis`."""
        return self._apply(running.repeat, repeats, axis)

    def split(self, sizes: int | Sequence[int], axis: int = 0) -> tuple[Tensor, ...]:
        """Parts along `axis`."""
        return cast("tuple[Tensor, ...]", self._apply(arrays.split, sizes, axis))

    # -- products and indexing

    def matmul(self, other: Any) -> Tensor:
        """Matrix product."""
        return self._apply(operators.matmul, other)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """Elements at `indices` along `axis`."""
        return self._apply(gathers.take, indices, axis)

    def take_along_axis(self, indices: Any, axis: int = -1) -> Tensor:
        """For each place of `indices` the element at that index along `axis`."""
        return self._apply(gathers.take_along_axis, indices, axis)
