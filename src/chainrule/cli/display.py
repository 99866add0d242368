"""Putting things on the screen: plain words and tables, the same in a terminal and in a file, coloured only there."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from textwrap import wrap

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..data.predictions import Label

NARROWEST = 60
INDENT = 2


def console(quiet: bool = False) -> Console:
    """Standard output. Nothing in a text is taken for markup: names are the user's own."""
    made = Console(markup=False, highlight=False, emoji=False, quiet=quiet, soft_wrap=False)
    if made.width < NARROWEST:
        made.width = NARROWEST
    return made


def has_blocks(screen: Console) -> bool:
    """Whether the screen shows more than ASCII."""
    return screen.encoding.lower().startswith("utf")


def heading(screen: Console, text: str) -> None:
    screen.print()
    screen.print(Text(text, style="bold"))


def facts(screen: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Names and what they are, in two columns."""
    pairs = list(pairs)
    width = max(len(name) for name, _ in pairs) + 2
    for name, value in pairs:
        first, *others = wrap(value, screen.width - INDENT - width, break_on_hyphens=False) or [""]
        screen.print(Text(" " * INDENT + name.ljust(width), style="dim").append(first, style="not dim"), soft_wrap=True)
        for line in others:
            screen.print(" " * (INDENT + width) + line, soft_wrap=True)


def commands(screen: Console, lines: Sequence[tuple[str, str]]) -> None:
    """Commands to copy, each whole on its line, with what it does."""
    width = max(len(command) for command, _ in lines)
    beside = INDENT + width + 3 + max(len(purpose) for _, purpose in lines) <= screen.width
    for command, purpose in lines:
        line = Text(" " * INDENT)
        if purpose and not beside:
            line.append(f"# {purpose}\n" + " " * INDENT, style="dim")
        line.append(command, style="cyan")
        if beside:
            line.append(" " * (width - len(command)) + "   " + purpose, style="dim")
        screen.print(line, soft_wrap=True)


def table(*columns: str, left: Sequence[str] = ()) -> Table:
    """A plain table: numbers to the right, the columns named in `left` to the left."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 1))
    for name in columns:
        made.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return made


def show(screen: Console, made: Table) -> None:
    screen.print(Padding(made, (0, 0, 0, INDENT), expand=False))


def percent(share: float, digits: int = 1) -> str:
    """0.987 as `98.7 %`; a dash where there is no number."""
    return "-" if math.isnan(share) else f"{100 * share:.{digits}f} %"


def number(value: float) -> str:
    """A measured number with the digits that mean something: five significant, no exponent where it can be avoided."""
    if not math.isfinite(value):
        return "-" if math.isnan(value) else str(value)
    if value != 0 and not 1e-4 <= abs(value) < 1e12:
        return f"{value:.4g}"
    if value == 0:
        return "0"
    digits = max(0, 4 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(digits, 8)}f}"


def count(number_of: int, noun: str, nouns: str = "") -> str:
    """`1 row`, `1,500 rows`."""
    return f"{number_of:,} {noun if number_of == 1 else nouns or noun + 's'}"


def duration(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def label(value: Label, width: int = 16) -> str:
    """A class name, shortened where it is long."""
    text = str(value)
    return text if len(text) <= width else text[: width - 3] + "..."
