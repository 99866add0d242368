"""Branches of the elementwise functions: a rare case costs one test of a whole vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..text.emit import Reg
from .term import Term


def _start(value: Term, label: str) -> None:
    value.f.lines.append(f"{label[1:]}:")
    value.f.block = label[1:]


def repeat_while(value: Term, condition: Callable[[Term], Term], step: Callable[[Term], Term]) -> Term:
    """`while any lane satisfies condition: value = step(value)`. The step must leave alone the lanes that do not."""
    f = value.f
    before, head, body, done = f.block, *(f.fresh(name) for name in ("while", "step", "settled"))
    f.line(f"br label {head}")
    _start(value, head)
    place = len(f.lines)
    phi = Term(f, Reg(value.reg.type, f.fresh("c")))
    again = f.reduce("or", condition(phi).reg)
    f.line(f"br {again}, label {body}, label {done}")
    _start(value, body)
    after = step(phi)
    sources = f"[ {value.reg.name}, %{before} ], [ {after.reg.name}, %{f.block} ]"
    f.lines.insert(place, f"  {phi.reg.name} = phi {phi.reg.type} {sources}")
    f.line(f"br label {head}")
    _start(value, done)
    return phi


def if_any(mask: Term, compute: Callable[[], Sequence[Term]], usual: Sequence[Term]) -> list[Term]:
    """What `compute` gives if any lane of the mask is set, else the usual values."""
    f = mask.f
    before, rare, done = f.block, f.fresh("rare"), f.fresh("joined")
    f.line(f"br {f.reduce('or', mask.reg)}, label {rare}, label {done}")
    _start(mask, rare)
    values = compute()
    after = f.block
    f.line(f"br label {done}")
    _start(mask, done)
    return [
        Term(f, f.emit(old.reg.type, f"phi {old.reg.type} [ {old.reg.name}, %{before} ], [ {new.reg.name}, %{after} ]"))
        for old, new in zip(usual, values)
    ]
