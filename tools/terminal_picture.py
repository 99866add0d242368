"""Runs a command and draws what it prints, as a picture for the documents.

python tools/terminal_picture.py docs/pictures/train-digits.svg chainrule train digits
"""

from __future__ import annotations

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 80


def picture(command: list[str], output: str) -> str:
    """An SVG of a terminal that shows the command and its output."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), (shlex.join(command), "bold")))
    console.print(Text.from_ansi(output))
    drawn = console.export_svg(title=shlex.join(command))
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # no fonts from the network


def main() -> int:
    """Run, draw, write."""
    target, command = Path(sys.argv[1]), sys.argv[2:]
    result = subprocess.run(command, capture_output=True, text=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(picture(command, result.stdout), encoding="utf-8")
    return result.returncode


if __name__ == "__main__":
    sys.exit(main())
