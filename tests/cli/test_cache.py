"""`chainrule cache`: what it says, and that it removes what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from chainrule.compiler.machine import cache

Run = Callable[..., Result]


def test_shows_and_removes(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "code"))
    cache.store("a" * 64, b"x" * 1_500_000)
    cache.store("b" * 64, b"y")
    shown = run("cache").output
    assert "There are 2 programs, 1.5 MB" in shown
    assert str(tmp_path / "code") in shown
    assert "Removed 2 programs" in run("cache", "--clear").output
    assert "0 programs" in run("cache").output
    assert not list((tmp_path / "code").iterdir())


def test_one_is_no_plural(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "code"))
    cache.store("a" * 64, b"x")
    assert "There is 1 program, 0.0 MB" in run("cache").output
    assert "Removed 1 program, " in run("cache", "--clear").output


def test_says_that_none_is_kept(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, "")
    assert "No machine code is kept" in run("cache").output
