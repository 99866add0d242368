"""How errors reach the user of the command line: one clear message, no traceback, exit code 2."""

from __future__ import annotations

import ast
import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from ..errors import ChainruleError, EngineError

EXIT_ERROR = 2
EXIT_INTERRUPTED = 130  # what shells report of a program that Ctrl-C ended
OPTION_NAMES = {"delimiter": "separator"}  # where the command line uses another word than the functions
ARGUMENTS = (
    "batch_size|categories|check_finite|clip_norm|dates|decimal|delimiter|drop_missing_labels|encoding|header|ignore|"
    "memory_limit|missing|numbers|task|thousands|validation"
)
ARGUMENT = re.compile(rf"\b({ARGUMENTS})=(\[[^\]]*\]|\{{[^}}]*\}}|'[^']*'|\"[^\"]*\"|[\w.\-]+)")
WORDS = "|".join(name for name in ARGUMENTS.split("|") if "_" in name)  # the others are words of English too
ALONE = re.compile(rf"(?<![\w'\"-])(?:{WORDS})(?![\w'\"])")


class Failure(click.ClickException):
    """An error to show as it stands; the program ends with code 2."""

    exit_code = EXIT_ERROR

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.message}", file=file, err=file is None)


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn the errors a user can cause, or the machine, into a Failure; let mistakes of the program itself through."""
    try:
        yield
    except ChainruleError as error:
        raise Failure(in_command_words(_without_line(error))) from error
    except MemoryError as error:
        raise Failure(f"there is not enough memory ({error}): try a smaller --batch-size or less data") from error
    except OSError as error:
        if error.errno == errno.EPIPE:  # the reader of our output went away, as `head` does; click ends quietly
            raise
        raise Failure(_about_the_system(error)) from error


def in_command_words(message: str) -> str:
    """The message with arguments of functions (`decimal=','`, `memory_limit`) as options of the command line."""
    given = ARGUMENT.sub(lambda found: _as_option(found[1], found[2]), message)
    return ALONE.sub(lambda found: _option(found[0]), given)


def _without_line(error: ChainruleError) -> str:
    """Errors of the engine name the line of the user's program; here that would be one of the command line itself."""
    return str(error).partition("\n  at ")[0] if isinstance(error, EngineError) else str(error)


def _option(name: str) -> str:
    return "--" + OPTION_NAMES.get(name, name).replace("_", "-")


def _as_option(name: str, value: str) -> str:
    option = _option(name)
    try:
        literal: object = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        literal = value
    if literal is True:
        return option
    if isinstance(literal, dict):
        return " ".join(f"{option} {_quoted(f'{key}={form}')}" for key, form in literal.items())
    if isinstance(literal, list):
        return " ".join(f"{option} {_quoted(str(item))}" for item in literal)
    return f"{option} {_quoted(str(literal))}"


def _quoted(text: str) -> str:
    """As a shell takes it; double quotes, since they work in every shell."""
    return text if re.fullmatch(r"[\w.,/:=+\-]+", text) else f'"{text}"'


def _about_the_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    place = f"{error.filename}: " if error.filename else ""
    hint = {
        errno.ENOSPC: "; free some space, then go on with `chainrule train --resume RUN`",
        errno.EACCES: "; choose a place you may write to and files you may read",
    }.get(error.errno or 0, "")
    return f"{place}{reason}{hint}"
