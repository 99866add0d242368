"""SciPy's optimisers, driven by our gradients: exact derivatives, no finite differences.

Needs SciPy: pip install 'chainrule[scipy]'; it is imported when an optimiser is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import tree
from ..dispatch import compiled_function
from ..errors import DtypeError, ShapeError, missing_dependency, unknown_name
from ..functions import astype, reshape
from ..ir.types import NumpyArray
from ..jacobian import hessian, jacobian
from ..nn import Module
from ..tensor import Tensor, asarray
from ..transforms import hvp, value_and_grad

WITHOUT_GRADIENT = ("nelder-mead", "powell", "cobyla", "cobyqa")
WITH_HVP = ("newton-cg", "trust-ncg", "trust-krylov", "trust-constr")
WITH_HESSIAN = ("dogleg", "trust-exact")
WITH_GRADIENT = ("cg", "bfgs", "l-bfgs-b", "tnc", "slsqp")
METHODS = (*WITH_GRADIENT, *WITH_HVP, *WITH_HESSIAN, *WITHOUT_GRADIENT)
MANY_NUMBERS = 1_000
"""From so many on, compile=None means native code."""


@dataclass
class Optimum:
    """Where an optimiser of SciPy ended.

    x: in the structure of x0. fun: the value there. result: all that SciPy says (OptimizeResult; nit, nfev, message).
    """

    x: Any
    fun: Any
    success: bool
    message: str
    result: Any = field(repr=False)


def minimize(
    f: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    method: str = "L-BFGS-B",
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[[Any], Any] | None = None,
    options: Any = None,
    compile: bool | None = None,
) -> Optimum:
    """The x that makes f(x, *args), a single number, small, by `scipy.optimize.minimize` with exact derivatives.

    x0: where to begin: an array, any nest of arrays, or a Module, whose parameters are then moved. f is called with the
        same structure, so for a Module with a Module.
    method: "L-BFGS-B", "BFGS", "CG", "TNC", "SLSQP" get the gradient; "Newton-CG", "trust-ncg", "trust-krylov",
        "trust-constr" products of the Hessian with a vector too; "dogleg", "trust-exact" the Hessian; the methods that
        need no derivatives run as well.
    bounds: (low, high), numbers or nests like x0, for the methods that take bounds; or what SciPy takes.
    callback: called with x, in the structure of x0, after each iteration; StopIteration ends it.
    compile: whether f and its derivatives run as native code; None: from 1,000 numbers in x0 on. SciPy works in
        float64; f sees the types of x0.
    Raises ConfigurationError for a method that is not known, MissingDependencyError where SciPy is not installed.

    >>> def rosenbrock(p):
    ...     return (1 - p["x"]) ** 2 + 100 * (p["y"] - p["x"] ** 2) ** 2
    >>> found = minimize(rosenbrock, {"x": np.float64(-1.2), "y": np.float64(1.0)}, method="trust-ncg")
    >>> round(found.x["x"].item(), 4), round(found.x["y"].item(), 4), found.success
    (1.0, 1.0, True)
    """
    optimize = _scipy_optimize()
    chosen = method.lower()
    if chosen not in METHODS:
        raise unknown_name("method of scipy.optimize.minimize", method, METHODS)
    space = Space.of(x0)
    problem = _Problem(f, tuple(args), space, compile)
    derivatives: dict[str, Any] = {}
    if chosen not in WITHOUT_GRADIENT:
        derivatives["jac"] = True
    if chosen in WITH_HVP:
        derivatives["hessp"] = problem.hessian_product
    if chosen in WITH_HESSIAN:
        derivatives["hess"] = problem.hessian
    found = optimize.minimize(
        problem.value if chosen in WITHOUT_GRADIENT else problem.value_and_gradient,
        space.start,
        method=method,
        bounds=optimize.Bounds(*limits) if isinstance(limits := space.bounds(bounds), tuple) else limits,
        constraints=constraints,
        tol=tol,
        callback=None if callback is None else _callback(callback, space),
        options=options,
        **derivatives,
    )
    return _optimum(found, space, x0, float(found.fun))


def least_squares(
    f: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
    *,
    method: str = "trf",
    bounds: Any = None,
    compile: bool | None = None,
    **options: Any,
) -> Optimum:
    """The x that makes half the sum of squares of f(x, *args) small, by `scipy.optimize.least_squares`, exact Jacobian.

    f gives the residuals, an array of any shape. x0, bounds, compile: as in `minimize`. method: "trf", "dogbox", "lm".
    options: what else SciPy takes: loss="soft_l1", f_scale, x_scale, ftol, max_nfev. The answer's fun: residuals.

    >>> from chainrule import exp
    >>> t = np.linspace(0, 1, 20)
    >>> y = 2 * np.exp(-3 * t)
    >>> found = least_squares(lambda p: p["a"] * exp(-p["b"] * t) - y, {"a": np.float64(1), "b": np.float64(1)})
    >>> round(found.x["a"].item(), 6), round(found.x["b"].item(), 6)
    (2.0, 3.0)
    """
    optimize = _scipy_optimize()
    space = Space.of(x0)
    problem = _Problem(f, tuple(args), space, compile)
    limits = {} if bounds is None else {"bounds": space.bounds(bounds)}
    found = optimize.least_squares(
        problem.residuals, space.start, jac=problem.residual_jacobian, method=method, **limits, **options
    )
    return _optimum(found, space, x0, found.fun)


@dataclass(frozen=True, eq=False)
class Space:
    """The numbers of a nest as one vector of float64, and back."""

    structure: tree.Structure
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]
    start: NumpyArray

    @classmethod
    def of(cls, x0: Any) -> Space:
        """The space of a nest of arrays, or of a Module's parameters."""
        leaves, structure = tree.flatten(x0)
        arrays = [np.asarray(leaf) for leaf in leaves]
        wrong = [array for array in arrays if array.dtype.kind != "f"]
        if wrong:
            raise DtypeError(
                f"x0 holds {wrong[0].dtype} of shape {wrong[0].shape}: expected floats, such as 1.0 for 1, as only "
                "they can move a little"
            )
        if not arrays:
            raise ShapeError("x0 holds no numbers: expected an array, a nest of arrays, or a Module with parameters")
        vector = np.concatenate([array.astype(np.float64).ravel() for array in arrays])
        return cls(structure, tuple(each.shape for each in arrays), tuple(each.dtype for each in arrays), vector)

    def nest(self, vector: Tensor) -> Any:
        """A vector in the structure, shapes and types of x0."""
        leaves, place = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes):
            size = int(np.prod(shape, dtype=np.int64))
            leaves.append(astype(reshape(vector[place : place + size], shape), dtype))
            place += size
        return tree.unflatten(self.structure, leaves)

    def bounds(self, given: Any) -> Any:
        """(low, high), each a number, None or a nest like x0, as (vector, vector); anything else is for SciPy."""
        if not isinstance(given, tuple) or len(given) != 2:
            return given
        return tuple(self._limit(each, open_end) for each, open_end in zip(given, (-np.inf, np.inf)))

    def _limit(self, given: Any, open_end: float) -> NumpyArray:
        if given is None or isinstance(given, int | float):
            return np.full(len(self.start), open_end if given is None else float(given))
        leaves, structure = tree.flatten(given)
        if structure != self.structure:
            raise ShapeError("a limit in bounds=(low, high) is a number, None, or a nest like x0")
        parts = [np.broadcast_to(np.asarray(leaf, np.float64), shape) for leaf, shape in zip(leaves, self.shapes)]
        return np.concatenate([part.ravel() for part in parts])


class _Problem:
    """What SciPy asks for, answered with exact derivatives."""

    def __init__(self, f: Callable[..., Any], args: tuple[Any, ...], space: Space, compile: bool | None) -> None:
        def of_vector(vector: Tensor, *args: Any) -> Any:
            return f(space.nest(vector), *args)

        def flat(vector: Tensor, *args: Any) -> Tensor:
            residuals: Tensor = reshape(asarray(of_vector(vector, *args)), (-1,))
            return residuals

        self.args = args
        self.native = len(space.start) >= MANY_NUMBERS if compile is None else compile
        self._value = self._ready(of_vector)
        self._both = self._ready(value_and_grad(of_vector))
        self._product = self._ready(lambda x, p, *args: hvp(lambda v: of_vector(v, *args), (x,), (p,))[0])
        self._hessian = self._ready(hessian(of_vector))
        self._residuals = self._ready(flat)
        self._jacobian = self._ready(jacobian(flat))

    def _ready(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return compiled_function(function) if self.native else function

    def value(self, x: NumpyArray) -> float:
        return float(asarray(self._value(asarray(x), *self.args)).item())

    def value_and_gradient(self, x: NumpyArray) -> tuple[float, NumpyArray]:
        value, gradient = self._both(asarray(x), *self.args)
        return float(value.item()), np.array(gradient, np.float64)

    def hessian_product(self, x: NumpyArray, p: NumpyArray) -> NumpyArray:
        along = asarray(np.asarray(p, np.float64))  # SciPy may give zeros as int8
        return np.array(self._product(asarray(x), along, *self.args), np.float64)

    def hessian(self, x: NumpyArray) -> NumpyArray:
        return np.array(self._hessian(asarray(x), *self.args), np.float64)

    def residuals(self, x: NumpyArray) -> NumpyArray:
        return np.array(self._residuals(asarray(x), *self.args), np.float64)

    def residual_jacobian(self, x: NumpyArray) -> NumpyArray:
        return np.array(self._jacobian(asarray(x), *self.args), np.float64)


def _callback(callback: Callable[[Any], Any], space: Space) -> Callable[..., Any]:
    def each(x: NumpyArray, *state: Any) -> Any:
        return callback(space.nest(asarray(np.array(x))))

    return each


def _optimum(found: Any, space: Space, x0: Any, fun: Any) -> Optimum:
    """SciPy's answer in our structure; a module is moved there itself."""
    x = space.nest(asarray(np.array(found.x)))
    if isinstance(x0, Module):
        for own, new in zip(tree.flatten(x0)[0], tree.flatten(x)[0]):
            own.assign(new.detach())
        x = x0
    return Optimum(x, fun, bool(found.success), str(found.message), found)


def _scipy_optimize() -> Any:
    try:
        from scipy import optimize
    except ImportError as error:
        raise missing_dependency("scipy", "minimize and least_squares", "scipy") from error
    return optimize
