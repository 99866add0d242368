"""Machine code on disk: another process starts from it, and nothing that happens to the files does any harm."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.compiler import compile as stages
from chainrule.compiler import job
from chainrule.compiler.compile import compile_graph, run_once
from chainrule.compiler.job import Job
from chainrule.compiler.machine import cache, fingerprint, pieces
from chainrule.compiler.text.module import Module
from chainrule.ir.graph import Graph
from chainrule.ir.types import ArrayType, float32, float64
from chainrule.trace import trace

PROGRAM = """
import sys
import numpy as np
import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler import compile as stages
from chainrule.compiler.machine import pieces, runtime

counts = {"lowered": 0, "compiled": 0}

def counted(where, name, what):
    original = getattr(where, name)
    def call(*arguments, **options):
        counts[what] += 1
        return original(*arguments, **options)
    setattr(where, name, call)

counted(stages, "lowered", "lowered")
counted(runtime.Parsed, "compiled", "compiled")
counted(pieces, "compiled_text", "compiled")
cr.random.manual_seed(3)
model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))
optimizer = optim.Adam(model.parameters(), lr=0.01)
mean = np.linspace(0, 1, 5, dtype=np.float32)

@cr.compile
def step(x, labels):
    loss = nn.functional.cross_entropy(model(x - mean), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

x = np.arange(20, dtype=np.float32).reshape(4, 5) / 10
losses = [step(x, np.array([0, 1, 2, 0])).item() for _ in range(3)]
print(counts["lowered"], counts["compiled"], *[loss.hex() for loss in losses])
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of its own for each test."""
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "code"))
    return tmp_path / "code"


def start() -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert not err, err
    return out.split()


def files(place: Path) -> list[Path]:
    return sorted(place.iterdir())


# -- other processes


def test_a_second_process_needs_neither_passes_nor_llvm(place: Path) -> None:
    first = answer(start())
    assert first[:2] == ["1", "1"]
    second = answer(start())
    assert second[:2] == ["0", "0"]
    assert second[2:] == first[2:]


def test_processes_that_start_at_once_share_a_directory(place: Path) -> None:
    answers = [answer(process) for process in [start() for _ in range(4)]]
    assert {tuple(each[2:]) for each in answers} == {tuple(answers[0][2:])}
    assert all(len(each.name) == 64 for each in files(place))
    assert answer(start())[:2] == ["0", "0"]


# -- damage


def graph_of(scale: float = 2.0, shape: tuple[int, ...] = (6,)) -> Graph:
    return trace(lambda x: (cr.exp(x) * scale + np.arange(6, dtype=np.float32),))(ArrayType(shape, float32))


INPUT = np.linspace(-1, 1, 6).astype(np.float32)


def compiled_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """How often LLVM was asked since the last time this was asked."""
    count = 0
    original = pieces.Pieces.finish

    def counted(self: pieces.Pieces, module: Module, passes: bool = False) -> list[bytes]:
        nonlocal count
        count += 1
        return original(self, module, passes)

    monkeypatch.setattr(pieces.Pieces, "finish", counted)
    while True:
        before, count = count, 0
        yield before


def test_what_is_kept_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = compiled_anew(monkeypatch)
    next(asked)
    first = run_once(compile_graph(graph_of()), [INPUT])
    assert next(asked) == 1
    second = run_once(compile_graph(graph_of()), [INPUT])
    assert next(asked) == 0
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_allclose(second[0], np.exp(INPUT) * 2 + np.arange(6), rtol=1e-6)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other", "magic", "longer", "another's"])
def test_a_damaged_file_is_ignored_and_written_anew(damage: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = compiled_anew(monkeypatch)
    next(asked)
    compile_graph(graph_of())
    (path,) = files(place)
    whole = path.read_bytes()
    cache.store("0" * 64, b"code that belongs elsewhere")
    middle = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:middle],
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "other": b"chainrule-code-0\n" + whole[len(cache.MAGIC) :],
            "magic": cache.MAGIC,
            "longer": whole + b"x",
            "another's": (place / ("0" * 64)).read_bytes(),
        }[damage]
    )
    next(asked)
    result = run_once(compile_graph(graph_of()), [INPUT])
    assert next(asked) == 1
    np.testing.assert_allclose(result[0], np.exp(INPUT) * 2 + np.arange(6), rtol=1e-6)
    assert path.read_bytes() == whole


def test_a_directory_that_cant_be_made_is_no_error(place: Path) -> None:
    place.write_text("a file where the directory should be")
    result = run_once(compile_graph(graph_of()), [INPUT])
    np.testing.assert_allclose(result[0], np.exp(INPUT) * 2 + np.arange(6), rtol=1e-6)
    assert cache.contents() == cache.Contents(0, 0)
    assert cache.clear() == cache.Contents(0, 0)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with a name are POSIX's")
@pytest.mark.parametrize("make", [os.mkdir, getattr(os, "mkfifo", None), lambda path: os.symlink(path, path)])
def test_what_is_no_file_is_left_alone_or_replaced(make: Any, place: Path) -> None:
    place.mkdir()
    path = place / ("a" * 64)
    make(path)
    assert cache.load("a" * 64) is None
    assert cache.contents() == cache.clear() == cache.Contents(0, 0)
    assert os.path.lexists(path)
    cache.store("a" * 64, b"code")
    assert cache.load("a" * 64) == (None if make is os.mkdir else b"code")
    assert files(place) == [path]


def test_a_full_disk_leaves_nothing_behind(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.store("a" * 64, b"code")
    assert files(place) == []


# -- names


def key(graph: Graph, in_place: dict[int, int] | None = None) -> str | None:
    return Job(graph, in_place or {}, True, None).key()


def test_the_same_graph_has_the_same_name_wherever_it_was_written() -> None:
    assert key(graph_of()) == key(graph_of())


def test_what_code_depends_on_changes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def traced(function: Any, dtype: Any = float32, shape: tuple[int, ...] = (4, 6)) -> str | None:
        return key(trace(function)(ArrayType(shape, dtype)))

    names = [
        traced(lambda x: (x + 1,)),
        traced(lambda x: (x + 1.5,)),
        traced(lambda x: (x - 1,)),
        traced(lambda x: (x + 1,), float64),
        traced(lambda x: (x + 1,), float32, (6, 4)),
        traced(lambda x: (x + 1, x)),
        traced(lambda x: (cr.sum(x, axis=0),)),
        traced(lambda x: (cr.sum(x, axis=1),)),
        traced(lambda x: (x * np.arange(6, dtype=np.float32),)),
        traced(lambda x: (x * np.arange(6, dtype=np.float32)[::-1],)),
        traced(lambda x: (cr.scan(lambda c, y: (c + y, c), x[0], x)[0],)),
        traced(lambda x: (cr.scan(lambda c, y: (c - y, c), x[0], x)[0],)),
        key(trace(lambda x: (x + 1,))(ArrayType((4, 6), float32)), {0: 0}),
    ]
    monkeypatch.setattr(job, "fingerprint", lambda: "another version")
    names.append(traced(lambda x: (x + 1,)))
    assert None not in names
    assert len(set(names)) == len(names)


def test_zeros_of_either_sign_are_different_constants() -> None:
    plus, minus = (trace(lambda x, z=z: (x * z,))(ArrayType((3,), float32)) for z in np.array([0.0, -0.0], np.float32))
    assert key(plus) != key(minus)


def test_the_fingerprint_is_that_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in fingerprint.MAKERS:
        (tmp_path / part / "within").mkdir(parents=True)
        (tmp_path / part / "within" / "a.py").write_text("one")
    monkeypatch.setattr(fingerprint, "__file__", str(tmp_path / "compiler" / "machine" / "fingerprint.py"))
    changed, found = tmp_path / "compiler" / "within" / "a.py", []
    for change in ("one", "three", "three"):
        changed.write_text(change)
        os.utime(changed, (1, 1))
        fingerprint.fingerprint.cache_clear()
        found.append(fingerprint.fingerprint())
    fingerprint.fingerprint.cache_clear()
    assert found[0] != found[1] == found[2]


def test_large_constants_are_not_kept_twice(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "MOST_CONSTANTS", 8)
    result = run_once(compile_graph(graph_of()), [INPUT])
    again = run_once(compile_graph(graph_of()), [INPUT])
    np.testing.assert_array_equal(result[0], again[0])
    assert len(files(place)) == 1  # the code alone, by its text


# -- the directory


def test_the_oldest_go_first(place: Path) -> None:
    for age, letter in enumerate("abcd"):
        cache.store(letter * 64, bytes(1000))
        os.utime(place / (letter * 64), (1000 + age, 1000 + age))
    assert cache.load("a" * 64) is not None  # used just now
    (place / "notes.txt").write_text("not ours")
    size = (place / ("a" * 64)).stat().st_size
    cache.clean(place, 2 * size)
    assert {each.name[0] for each in files(place)} == {"a", "d", "n"}


def test_clearing_leaves_what_others_put_there(place: Path) -> None:
    cache.store("a" * 64, b"code")
    (place / ".new-left-by-a-crash").write_bytes(b"half")
    (place / "notes.txt").write_text("not ours")
    assert cache.clear().programs == 2
    assert [each.name for each in files(place)] == ["notes.txt"]


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache.directory() == Path(os.environ[cache.VARIABLE])
    monkeypatch.setenv(cache.VARIABLE, "")
    assert cache.directory() is None
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(cache.VARIABLE, "~/code")
    assert cache.directory() == tmp_path / "code"
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "chainrule" / "code"
    monkeypatch.setenv("XDG_CACHE_HOME", "beside/the/program")  # its specification says to ignore what is relative
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.directory() == tmp_path / ".cache" / "chainrule" / "code"
    monkeypatch.setattr(cache, "_chosen", [])
    cache.set_directory(tmp_path / "mine")
    assert cache.directory() == tmp_path / "mine"
    cache.set_directory(None)
    assert cache.directory() is None


def test_a_block_without_a_cache_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "one"))
    with cache.nothing_kept():
        assert cache.directory() is None
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "two"))
    assert cache.directory() == tmp_path / "two"
