"""Where in the user's own code something was asked for: every value and every error names that line."""

from __future__ import annotations

import linecache
import os
import sys
from types import FrameType
from typing import NamedTuple

PACKAGE_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
INTERNAL_FOLDERS = (PACKAGE_FOLDER, "<frozen", _LIBRARY + "functools.py", _LIBRARY + "copy.py")


class SourceLine(NamedTuple):
    """One line of the user's program."""

    file: str
    line: int
    function: str

    @property
    def text(self) -> str:
        """The line itself, stripped; empty where the file can't be read (an interactive prompt)."""
        return linecache.getline(self.file, self.line).strip()

    def __str__(self) -> str:
        place = f"{os.path.basename(self.file)}:{self.line}"
        return f"{place}: {self.text}" if self.text else place


_internal: dict[str, bool] = {}


def _is_internal(file: str) -> bool:
    known = _internal.get(file)
    if known is None:
        known = _internal[file] = file.startswith(INTERNAL_FOLDERS) or _is_of_the_command(file)
    return known


def _is_of_the_command(file: str) -> bool:
    """Whether a file only carries the command line: the script that pip installs, and what reads its options."""
    script = os.path.splitext(os.path.basename(file))[0] in ("chainrule", "chainrule-script")
    return f"{os.sep}site-packages{os.sep}click{os.sep}" in file or (script and not file.endswith(".py"))


def user_source() -> SourceLine | None:
    """The innermost line outside this package, or None when the package itself is the program."""
    frame: FrameType | None = sys._getframe(1)
    known = _internal  # asked here, not in a function: every equation of a trace looks through some ten frames
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if not (known[file] if file in known else _is_internal(file)):
            return SourceLine(file, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None
