"""The exceptions a user can meet. Each message says what was expected, what was given, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from .source import SourceLine, user_source


class ChainruleError(Exception):
    """Base of all errors this package raises on purpose. The command line prints them without a traceback."""


class EngineError(ChainruleError):
    """An error about a program written with arrays: names the user's line by itself."""

    def __init__(self, message: str, source: SourceLine | None = None) -> None:
        """source: the line, where it isn't the one that runs."""
        self.message = message
        source = source or user_source()
        super().__init__(f"{message}\n  at {source}" if source else message)


class ShapeError(EngineError, ValueError):
    """Shapes that do not fit an operation."""


class AxisError(ShapeError, IndexError):
    """An axis that an array does not have."""


class DtypeError(EngineError, TypeError):
    """An element type that an operation does not take."""


class OutOfRangeError(EngineError, IndexError):
    """An index outside the axis it indexes."""


class LinearAlgebraError(EngineError, ValueError):
    """A matrix that has no inverse, no such decomposition, or gave none."""


class TraceError(EngineError, TypeError):
    """Something was asked of a traced value that only a concrete array can give."""


class GradientError(EngineError, ValueError):
    """A gradient was asked for where none is defined."""


class NoGradientError(GradientError):
    """Nothing that led to a tensor requires a gradient."""


class GradientMismatchError(EngineError, AssertionError):
    """A gradient differs from central differences."""


class GraphError(ChainruleError):
    """A graph breaks a rule of the IR; names the pass that left it so."""


class DataError(ChainruleError, ValueError):
    """Something is wrong with the user's data or files."""


class CheckpointError(ChainruleError, ValueError):
    """A checkpoint or run directory is damaged, or belongs to something else."""


class DivergenceError(ChainruleError, ArithmeticError):
    """The loss is no longer a finite number: training has blown up."""


class NonFiniteError(DivergenceError):
    """A NaN or an infinity was found; says which operation made it. trail: what is known; file: replays the step."""

    def __init__(self, message: str, trail: object = None, file: str | None = None) -> None:
        super().__init__(message)
        self.trail, self.file = trail, file


class ConfigurationError(ChainruleError, ValueError):
    """An option has a value it can't have."""


class UnknownNameError(ConfigurationError):
    """A name that is not in the list of known ones."""


class MissingDependencyError(ChainruleError, ImportError):
    """An optional package is needed and not installed."""


@contextmanager
def telling(where: str) -> Iterator[None]:
    """Errors that pass say what was being done: ours in their message, those of others in a note below it."""
    try:
        yield
    except ChainruleError as error:
        error.args = (f"{error}\n  {where}", *error.args[1:])
        raise
    except Exception as error:
        error.add_note(f"  {where}")
        raise


def unknown_name(kind: str, given: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a misspelt name: says the nearest known names, or all of them."""
    import difflib  # only here: nothing else at import needs it

    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else f"known: {', '.join(names)}"
    return UnknownNameError(f"there is no {kind} named {given!r}; {hint}")


def missing_dependency(package: str, purpose: str, extra: str) -> MissingDependencyError:
    """The error for an optional package that is not installed, with the command that installs it."""
    return MissingDependencyError(
        f"{purpose} needs the package {package!r}, which is not installed: pip install 'chainrule[{extra}]'"
    )
