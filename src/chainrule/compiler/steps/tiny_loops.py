"""Which loops of a tiny program are written out in full: those that stay short. The time LLVM takes grows faster than
a block of instructions does: a sum over 1,000 products that is written out takes it half a minute.
"""

from __future__ import annotations

import re

from ...records import dataclass
from ..text.module import Module

MOST_LINES = 1_024
"""Instructions of a loop, with those inside it, that is written out."""

_HEAD = re.compile(r"^(head\w+):$")
_INDEX = re.compile(r"^  %\w+ = phi i64 \[ (\S+), ")
_NEXT = re.compile(r"^  %\w+ = add nsw i64 %\w+, (\d+)$")
_END = re.compile(r"^  %\w+ = icmp slt i64 %\w+, (\S+)$")
_BACK = re.compile(r"^  br i1 %\w+, label %(head\w+), label %\w+$")


@dataclass
class _Loop:
    head: str
    start: str
    lines: int = 0


def written_out(function: str, module: Module, tasks: int | None) -> str:
    """The text of a function whose short loops LLVM is asked to write out.

    tasks: how many a kernel is called for; None of functions that kernels call, whose bounds may not be known. What
    LLVM can't do it complains of.
    """
    given = {} if tasks is None else {"%begin": 0, "%end": tasks}
    lines = function.split("\n")
    open_loops = [_Loop("", "0")]
    for number, line in enumerate(lines):
        if head := _HEAD.match(line):
            index = _INDEX.match(lines[number + 1])
            open_loops.append(_Loop(head[1], index[1] if index else ""))
        elif (back := _BACK.match(line)) and back[1] == open_loops[-1].head:
            loop = open_loops.pop()
            size = loop.lines * _rounds(loop.start, lines[number - 2 : number], given)
            if size <= MOST_LINES:
                lines[number] = f"{line}, !llvm.loop {module.unrolled_loop()}"
            open_loops[-1].lines += size if size <= MOST_LINES else MOST_LINES + 1
        else:
            open_loops[-1].lines += 1
    return "\n".join(lines)


def _rounds(start: str, last: list[str], given: dict[str, int]) -> int:
    """How often a loop goes round, from its last lines; many times where that is only known as the program runs."""
    step, end = _NEXT.match(last[0]), _END.match(last[1])
    first, stop = (_number(text, given) for text in (start, end[1] if end else ""))
    if step is None or first is None or stop is None:
        return MOST_LINES
    return max(1, -(-(stop - first) // int(step[1])))


def _number(text: str, given: dict[str, int]) -> int | None:
    return given[text] if text in given else int(text) if text.lstrip("-").isdigit() else None
