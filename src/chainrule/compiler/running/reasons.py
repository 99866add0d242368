"""Why a function is compiled again: told once for each kind of reason."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ... import tree
from ...ir.types import ArrayType
from ...names import argument_name, name_of, parameters_of
from ...records import dataclass
from ...source import user_source
from ...tensor import Tensor
from .arguments import Itself
from .entry import Entry

OFTEN = 8
"""How often the same may have changed before the way out is told."""

ADVICE = (
    "Each time takes far longer than a call. Give what changes so often as an argument that is an array, or keep it in "
    "a tensor that is assigned to (t.assign(...)): both are read anew at each call"
)


class RecompileWarning(UserWarning):
    """A compiled function was compiled again; the message says why."""


@dataclass(frozen=True)
class Call:
    """What a call was known by: how its arguments are nested, what each was, what modules among them hold."""

    structure: tree.Structure
    pattern: tuple[Any, ...]
    held: tuple[Any, ...]
    recording: bool


class Reasons:
    """What is told of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self._told: set[str] = set()
        self._broken: Counter[str] = Counter()
        self._last: Call | None = None

    def tell(self, call: Call, entries: Sequence[Entry], arguments: Any, expected: bool) -> None:
        """Warn that a program was compiled for `call`, unless it is the first, or only its shapes are new as expected.

        entries: the last program for such calls, if there was one: its guards no longer hold.
        """
        last, self._last = self._last, call
        kind, reason = _guard(entries) if entries else self._difference(last, call, arguments)
        if not kind or (expected and kind == "shape"):
            return
        if entries:
            self._broken[kind] += 1
        if kind not in self._told:
            self._told.add(kind)
            self._warn("compiled again", f"{reason}. This is said once")
        elif self._broken[kind] == OFTEN:
            self._warn("compiled again and again", f"{reason}, {OFTEN} times by now. {ADVICE}")

    def _warn(self, what: str, why: str) -> None:
        source = user_source()
        name = name_of(self.function)
        file, line = (source.file, source.line) if source else ("chainrule", 0)
        text = f"{name} is {what}{f' at {source}' if source else ''}: {why}"
        warnings.warn_explicit(text, RecompileWarning, file, line)

    def _difference(self, last: Call | None, call: Call, arguments: Any) -> tuple[str, str]:
        """(kind, reason) of a call unlike the one before; empty for the first."""
        if last is None:
            return "", ""
        if last.structure != call.structure:
            return "structure", "its arguments are nested in another way"
        paths = [path for path, _ in tree.flatten_with_paths(arguments)]
        parameters = parameters_of(self.function)
        for path, before, now in zip(paths, last.pattern, call.pattern):
            if before == now:
                continue
            if parameters[:1] == ["self"] and path[:2] == (0, 0):  # a method has a program for each instance
                return "", ""
            return _change(argument_name(path, parameters), before, now)
        if last.held != call.held:
            return "module", "a module among its arguments is another, or has other options"
        if last.recording == call.recording:
            return "", ""
        return "recording", "whether gradients are recorded has changed (cr.no_grad)"


def _guard(entries: Sequence[Entry]) -> tuple[str, str]:
    broken = entries[-1].captured.guards.broken
    reason = f"{broken[0]} is not what it was" if broken else "something it looked at has changed"
    return reason, reason


def _change(name: str, before: Any, now: Any) -> tuple[str, str]:
    if isinstance(before, ArrayType) and isinstance(now, ArrayType):
        kind = "shape" if before.dtype == now.dtype else "element type"
        return kind, f"{name} is {now}, and was {before}"
    shown = [str(each) if isinstance(each, ArrayType) else _shown(each) for each in (now, before)]
    advice = "; numbers that change from call to call are passed as arrays" if _is_number(now) else ""
    return f"value of {name}", f"{name} is {shown[0]}, and was {shown[1]}{advice}"


def _is_number(known: Any) -> bool:
    return isinstance(known, tuple) and known[0] in (int, float, complex)


def _shown(known: Any) -> str:
    kind, value = known
    value = value.thing if isinstance(value, Itself) else value
    if kind in (float, complex):
        return str(value)
    if kind in (int, bool, str, type(None)):
        return repr(value)
    if isinstance(value, Tensor):
        return f"{value.dtype}{list(value.shape)} with a gradient"
    return f"another {'object' if isinstance(kind, str) else kind.__name__}"
