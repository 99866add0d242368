"""Where each equation of a captured function comes from: the module, the part of the step, the equation it derives.

It is read off the Python frames that are running while an equation is written, as source lines are, so that nothing in
networks, derivatives or optimisers needs to know of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any

from .. import autodiff
from ..capture import capture
from ..captured import Captured
from ..capturing import Capture
from ..ir.graph import Equation, Value
from ..nn import Module
from ..source import PACKAGE_FOLDER
from ..tensor import Parameter

FORWARD, BACKWARD, UPDATE = "forward", "backward", "update"
OPTIM_FOLDER = PACKAGE_FOLDER + "optim" + os.sep
NAMED_FOLDERS = (os.path.join(PACKAGE_FOLDER, "nn", "functional"), os.path.join(PACKAGE_FOLDER, "ops", "composite.py"))
"""Functions in here are parts of a program that people know by name: softmax, layer_norm, cross_entropy."""

Scope = tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """phase: forward, backward or update. scope: the modules and functions it was written in, outermost first.

    derives: the forward equation whose derivative it belongs to.
    """

    phase: str
    scope: Scope
    derives: Equation | None = None


@dataclass
class Notes:
    """What was seen while a function was captured. Keys are ids of equations and values, which `kept` keeps alive."""

    origins: dict[int, Origin] = field(default_factory=dict)
    cotangents: dict[int, Value] = field(default_factory=dict)
    root: Module | None = None
    kept: list[Any] = field(default_factory=list)


class NotingCapture(Capture):
    """A capture that notes for each equation where it comes from."""

    def __init__(self, root: CodeType | None) -> None:
        super().__init__()
        self.notes = Notes()
        self.equations = _NotedEquations(self.notes, root)
        self.root = root

    def empty(self) -> NotingCapture:
        """Another one; this one shows its notes."""
        new = NotingCapture(self.root)
        self.notes = new.notes
        return new

    def found_cotangents(self, values: Sequence[Value], cotangents: Sequence[Value | None]) -> None:
        """Keep them: the last backward pass is the one that counts."""
        for value, cotangent in zip(values, cotangents):
            if cotangent is not None:
                self.notes.cotangents[id(value)] = cotangent


class _NotedEquations(list[Equation]):
    def __init__(self, notes: Notes, root: CodeType | None) -> None:
        super().__init__()
        self.notes, self.root = notes, root

    def append(self, equation: Equation) -> None:
        """Write an equation down, and who wrote it."""
        super().append(equation)
        self.notes.kept.append(equation)
        self.notes.origins[id(equation)] = self._origin(sys._getframe(1))

    def _origin(self, frame: FrameType | None) -> Origin:
        scope: list[str] = []
        while frame is not None and frame.f_code is not _CAPTURE_CODE:
            code = frame.f_code
            if code is _GRADIENTS_CODE:
                return self._derivative(frame)
            if code.co_filename.startswith(OPTIM_FOLDER):
                return Origin(UPDATE, self._updated(frame))
            if name := self._scope_name(frame):
                scope.append(name)
            frame = frame.f_back
        return Origin(FORWARD, _named_once(reversed(scope)))

    def _derivative(self, frame: FrameType) -> Origin:
        """An equation of the backward pass: it belongs where the equation stands whose derivative it is."""
        derived = frame.f_locals.get("equation")
        if not isinstance(derived, Equation):
            return Origin(BACKWARD, ())
        before = self.notes.origins.get(id(derived))
        return Origin(BACKWARD, before.scope if before else (), derived)

    def _updated(self, frame: FrameType | None) -> Scope:
        """The parameter that an optimiser is moving."""
        while frame is not None and frame.f_code.co_filename.startswith(OPTIM_FOLDER):
            parameter = frame.f_locals.get("parameter")
            if isinstance(parameter, Parameter) and self.notes.root is not None:
                known = self.notes.root.named_parameters()
                return tuple(f"update of {path}" for path, each in known if each is parameter)
            frame = frame.f_back
        return ()

    def _scope_name(self, frame: FrameType) -> str | None:
        code = frame.f_code
        if code is _MODULE_CODE:
            return self._module_name(frame)
        if code is self.root or code.co_name in ("forward", "__call__") or code.co_name.startswith(("<", "_")):
            return None
        if code.co_filename.startswith(NAMED_FOLDERS) or not code.co_filename.startswith((PACKAGE_FOLDER, _LIBRARY)):
            return code.co_name
        return None

    def _module_name(self, frame: FrameType) -> str:
        """`hidden: Linear`, by the name that the module around it has for it."""
        module: Module = frame.f_locals["self"]
        around = frame.f_back
        while around is not None and around.f_code not in (_MODULE_CODE, _CAPTURE_CODE):
            around = around.f_back
        if around is None or around.f_code is _CAPTURE_CODE:
            self.notes.root = self.notes.root or module
            return type(module).__name__
        parent: Module = around.f_locals["self"]
        name = next((name for name, child in parent.named_modules() if child is module), "")
        return f"{name}: {type(module).__name__}" if name else type(module).__name__


def _named_once(scope: Iterator[str]) -> Scope:
    """Without repetitions: functions that hand on to one of the same name, modules that are one function."""
    found: list[str] = []
    for name in scope:
        before = found[-1].split(": ")[-1] if found else ""
        if before.lower() != name.replace("_", "").lower() and before != name:
            found.append(name)
    return tuple(found)


_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_CAPTURE_CODE = capture.__code__
_GRADIENTS_CODE = autodiff.gradients.__code__
_MODULE_CODE = Module.__call__.__code__


def noted_capture(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], root: Callable[..., Any]
) -> tuple[Captured, Notes]:
    """Capture a function, with notes on each of its equations; `root` is the user's own function."""
    trace = NotingCapture(getattr(root, "__code__", None))
    return capture(function, args, kwargs, trace), trace.notes
