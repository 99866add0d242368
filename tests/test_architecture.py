"""The architecture, read from the syntax trees: who may import whom, what stays optional, how long files are."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import chainrule

SOURCE = Path(chainrule.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "records", "source", "tree", "block", "counts", "files", "references", "sizes", "names"),
    ("ir",),
    ("autodiff",),
    ("ops",),
    (
        *("tensor", "transforms", "trace", "functions", "dtypes"),
        *("creation", "data_types", "namespace", "linalg", "fft"),
        *("around", "captured", "captured_module", "capture", "capturing", "capture_told", "rebuilt"),
        *("closure", "repeated", "surroundings"),
        *("control", "random", "custom_gradient", "vmap", "recompute"),
        *("jacobian", "wirtinger", "per_sample"),
        *("gradient_check", "differences", "autocast"),
    ),
    ("finite",),
    ("passes", "reference", "compiler", "dispatch"),
    ("nn", "optim", "data"),
    ("train", "interop", "distributed"),
    ("reports", "explain"),
    ("cli",),
    ("__main__", ""),
)
"""From the lowest; a part imports its own layer and those below. "" is chainrule/__init__.py."""

COMPILER: tuple[tuple[str, ...], ...] = (
    ("text",),
    ("arithmetic", "machine"),
    ("emitters", "planning"),
    ("rewrites", "nests"),
    ("products",),
    ("convolutions",),
    ("units", "steps"),
    ("job",),
    ("stages",),
    ("compile",),
    ("running",),
)
"""The folders and files of the compiler, likewise."""

STRANGERS = [("reference", "compiler"), ("compiler", "reference"), ("optim", "nn"), ("data", "nn"), ("data", "optim")]
STRANGERS += [("nn", "data"), ("optim", "data"), ("nn", "optim"), ("gradient_check", "nn"), ("interop", "train")]
"""(who, whom): parts of one layer, or worth naming, that never import one another."""

OPENED_BY_THE_USER = {"interop.sklearn": ("train", "sklearn", "scipy")}
"""A folder that nothing else imports -> the part, and the optional packages, that it may import all the same."""

MAY_IMPORT_THE_PACKAGE = {"cli", "__main__"}
"""Who may say `import chainrule`, which is the user's view and lies above everything else."""

OPTIONAL = {
    "PIL",
    "pyarrow",
    "torch",
    "scipy",
    "sklearn",
    "safetensors",
    "threadpoolctl",
    "zipfile",
    "gzip",
    "tensorboardX",
    "onnx",
    "onnxruntime",
}
ONLY_IN = {"llvmlite": "compiler", "rich": "cli", "click": "cli"}
"""Package -> the one part that may import it at module level."""

CLOSE_A_CIRCLE = {
    ("tensor.contents", "tensor"): "for its type: a tensor is one class in four files, and a gradient is a tensor",
    ("tensor.view", "tensor"): "for its type: what a tensor's methods give are tensors",
    ("tensor.methods", "tensor"): "for its type: what a tensor's methods give are tensors",
    ("nn.module", "nn.summary"): "module.summary() opens the file when it is called; import chainrule does not load it",
    ("compiler.units.body", "compiler.units.schedule"): "the body of a loop is put in order as a whole program is",
    ("compiler.planning.lowering", "compiler.products.epilogue"): "for its type: it remembers the last product",
}
"""(who, whom) -> why a file may import, in a function or for types, one that imports it in turn."""

UNSAFE = {"pickle", "cPickle", "dill", "marshal", "shelve", "joblib", "cloudpickle"}

LONGER_THAN_300_LINES = {
    "tensor/__init__.py": "the user's handle: cell, gradient, and how functions of Values become functions of tensors",
    "nn/__init__.py": "the public names, one a line",
    "ops/elementwise.py": "a table: one entry for each elementwise primitive, read from top to bottom",
    "ops/operators.py": "the one place where operators get their meaning",
    "ops/arrays.py": "one short function for each public array function",
}


class Import(NamedTuple):
    """One import statement: the file's module, what it names, where it stands."""

    module: str
    target: str
    line: int
    at_module_level: bool
    only_for_types: bool

    @property
    def place(self) -> str:
        return f"{self.module}:{self.line} imports {self.target}"


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name below `chainrule`; "" is the package itself."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imports_of(module: str) -> Iterator[Import]:
    path = modules()[module]
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = ["chainrule", *filter(None, package)]
    for node, inside, types in _statements(syntax(path), False, False):
        for target in _targets(node, package):
            yield Import(module, target, node.lineno, not inside, types)


def _statements(node: ast.AST, inside: bool, types: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, inside, types
        within = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        checking = types or (isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"))
        yield from _statements(child, within, checking)


def _targets(node: ast.Import | ast.ImportFrom, package: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = package[: len(package) - node.level + 1] if node.level else []
    whole = ".".join([*base, *(node.module.split(".") if node.module else [])])
    for alias in node.names:
        submodule = f"{whole}.{alias.name}"
        yield submodule if submodule.removeprefix("chainrule.") in modules() else whole


def part(dotted: str) -> str:
    """The part of the package that a module below `chainrule` belongs to."""
    return dotted.split(".")[0]


@cache
def internal_imports() -> list[Import]:
    return [
        each._replace(target=each.target.removeprefix("chainrule").lstrip("."))
        for module in modules()
        for each in imports_of(module)
        if each.target.split(".")[0] == "chainrule"
    ]


@cache
def external_imports() -> list[Import]:
    return [each for module in modules() for each in imports_of(module) if each.target.split(".")[0] != "chainrule"]


def layer_of(name: str) -> int:
    for level, names in enumerate(LAYERS):
        if name in names:
            return level
    raise AssertionError(f"{name or 'chainrule'} has no place in LAYERS: add it to the layer it belongs to")


def test_imports_go_down() -> None:
    wrong = []
    for each in internal_imports():
        if not each.target and part(each.module) in MAY_IMPORT_THE_PACKAGE:
            continue
        if layer_of(part(each.target)) > layer_of(part(each.module)):
            wrong.append(each.place)
    assert not wrong


def test_imports_within_the_compiler_go_down() -> None:
    level = {name: number for number, names in enumerate(COMPILER) for name in names}
    wrong = []
    for each in internal_imports():
        if each.module.startswith("compiler.") and each.target.startswith("compiler.") and not each.only_for_types:
            module, target = each.module.split(".")[1], each.target.split(".")[1]
            if level[target] > level[module]:
                wrong.append(each.place)
    assert not wrong


def test_strangers_do_not_import_one_another() -> None:
    wrong = [
        each.place
        for each in internal_imports()
        if (part(each.module), part(each.target)) in STRANGERS and part(each.target) not in opened(each.module)
    ]
    assert not wrong


def opened(module: str) -> tuple[str, ...]:
    return next((free for folder, free in OPENED_BY_THE_USER.items() if f"{module}.".startswith(f"{folder}.")), ())


def test_what_the_user_opens_is_imported_by_nothing_else() -> None:
    wrong = [
        each.place
        for each in internal_imports()
        if opened(each.target) and not opened(each.module) and not each.only_for_types
    ]
    assert not wrong


def in_circles(imports: Iterable[Import]) -> set[str]:
    """The modules that import each other, or stand between such: what is left without all that is above, and below."""
    reached: dict[str, set[str]] = {module: set() for module in modules()}
    for each in imports:
        if each.module != each.target:
            reached[each.module].add(each.target)
    left = set(reached)
    while loose := {module for module in left if not reached[module] & left}:
        left -= loose
    while loose := left - {target for module in left for target in reached[module]}:
        left -= loose
    return left


def test_no_circles_at_module_level() -> None:
    assert not in_circles(each for each in internal_imports() if each.at_module_level and not each.only_for_types)


def test_no_circles_within_functions_and_types() -> None:
    """So each file can be read after those that it names, and moved without those that name it."""
    circles = in_circles(each for each in internal_imports() if (each.module, each.target) not in CLOSE_A_CIRCLE)
    assert not circles, "move what both need into the lower file; or say in CLOSE_A_CIRCLE why it can't be"
    for known in CLOSE_A_CIRCLE:
        others = CLOSE_A_CIRCLE.keys() - {known}
        circle = in_circles(each for each in internal_imports() if (each.module, each.target) not in others)
        assert {*known} <= circle, f"{known} closes no circle: drop it"


def test_optional_packages_are_imported_where_they_are_used() -> None:
    wrong = [
        each.place
        for each in external_imports()
        if each.target.split(".")[0] in OPTIONAL and each.at_module_level and not each.only_for_types
        if each.target.split(".")[0] not in opened(each.module)
    ]
    assert not wrong


@pytest.mark.parametrize(("package", "owner"), ONLY_IN.items())
def test_packages_that_one_part_owns(package: str, owner: str) -> None:
    wrong = [
        each.place
        for each in external_imports()
        if each.target.split(".")[0] == package
        and part(each.module) != owner
        and (each.at_module_level or package == "llvmlite")
        and not each.only_for_types
    ]
    assert not wrong


def test_nothing_is_pickled() -> None:
    wrong = [each.place for each in external_imports() if each.target.split(".")[0] in UNSAFE]
    for path in modules().values():
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load", "torch.load"):
                safe = {ast.unparse(keyword) for keyword in node.keywords}
                if not safe & {"allow_pickle=False", "weights_only=True"}:
                    wrong.append(f"{path.name}:{node.lineno} loads without saying that nothing is unpickled")
    assert not wrong


EVALUATED = frozenset({"records"})
"""Parts that run text: here it holds names of fields alone, and becomes `__init__` as in Python's own `dataclass`."""


def test_nothing_is_evaluated_from_text() -> None:
    wrong = [
        f"{path.relative_to(SOURCE)}:{node.lineno} calls {node.func.id}"
        for path in modules().values()
        if path.stem not in EVALUATED
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    assert not wrong


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text("utf-8").splitlines()) for path in modules().values()}
    long = {name for name, length in lengths.items() if length > 300}
    assert long == set(LONGER_THAN_300_LINES), "split it, or give its reason; drop reasons that are no longer needed"


def test_every_module_says_what_it_is() -> None:
    missing = [str(path) for path in modules().values() if not ast.get_docstring(syntax(path))]
    assert not missing


def test_the_text_names_every_file_of_the_compiler() -> None:
    text = (Path(__file__).parent.parent / "docs" / "architecture.md").read_text("utf-8")
    rows = [row.split("|") for row in text.split("**Files**")[1].split("**Two caches.**")[0].splitlines()]
    told = {row[1].strip(" `/"): set(re.findall(r"`(\w+)`", row[2])) for row in rows[4:] if len(row) > 2}
    there: dict[str, set[str]] = {}
    for path in (SOURCE / "compiler").rglob("*.py"):
        if path.stem != "__init__":
            there.setdefault("" if path.parent.name == "compiler" else path.parent.name, set()).add(path.stem)
    assert told == there, "name it in the table of files in docs/architecture.md, in its folder's row"


# -- importing it


def loaded_by(statement: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}; import sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    return set(answer.stdout.split())


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": str(SOURCE.parent), "PATH": ""}


def test_import_loads_nothing_that_is_optional() -> None:
    extra = loaded_by("import chainrule") - loaded_by("import numpy")
    assert "chainrule" in extra
    heavy = {"hypothesis", "pytest", "unittest", "tomllib", "asyncio", "difflib", "email", "http"}
    assert not extra & (OPTIONAL | UNSAFE | set(ONLY_IN) | heavy)


def test_import_does_little() -> None:
    """It takes 0.08 s over NumPy alone. Functions called, and files read, are what can be counted on a busy machine."""
    code = """
import numpy, sys
before, calls = set(sys.modules), [0]
sys.setprofile(lambda frame, event, argument: calls.__setitem__(0, calls[0] + ("return" not in event)))
import chainrule
sys.setprofile(None)
print(calls[0], len(set(sys.modules) - before))
"""
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    calls, files = map(int, answer.stdout.split())
    assert calls < 90_000 and files < 250
