"""Tiny data sets for the command line's tests, and a way to run it as a user does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("train", "houses.csv", ...)` in a folder of its own, 80 columns wide."""
    from chainrule.cli.main import chainrule

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *arguments: CliRunner().invoke(chainrule, [str(each) for each in arguments])


def write_houses(path: Path, rows: int = 60, seed: int = 0) -> Path:
    """A price that follows from area and district, an identifier, a date, and some areas missing."""
    generator = np.random.default_rng(seed)
    lines = ["id,area,district,built,price"]
    for row in range(rows):
        area, district = generator.uniform(40, 200), "ABC"[generator.integers(3)]
        price = 1000 * area + {"A": 0, "B": 20_000, "C": 50_000}[district] + generator.normal() * 1000
        shown = "" if row % 10 == 3 else f"{area:.1f}"
        lines.append(f"{1000 + 7 * row},{shown},{district},{1950 + row % 60}-05-{1 + row % 28:02d},{price:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_flowers(path: Path, rows: int = 60, seed: int = 0) -> Path:
    """Two kinds of flower that differ in the length of their petals."""
    generator = np.random.default_rng(seed)
    lines = ["petal,sepal,kind"]
    for row in range(rows):
        kind = row % 2
        lines.append(f"{generator.normal() + 6 * kind:.3f},{generator.normal():.3f},{'rose' if kind else 'lily'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_photos(folder: Path, count: int = 12, size: tuple[int, int] = (12, 12), seed: int = 0) -> Path:
    """Images of two classes: a bright left half, a bright right half."""
    image = pytest.importorskip("PIL.Image")
    generator = np.random.default_rng(seed)
    for name, bright in (("left", slice(0, size[1] // 2)), ("right", slice(size[1] // 2, None))):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = generator.integers(0, 60, size, dtype=np.uint8)
            pixels[:, bright] += np.uint8(150)
            image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    return write_houses(tmp_path / "houses.csv")


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    return write_flowers(tmp_path / "flowers.csv")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.fixture
def make_flowers() -> Callable[..., Path]:
    return write_flowers


@pytest.fixture
def make_photos() -> Callable[..., Path]:
    return write_photos


@pytest.fixture
def make_houses() -> Callable[..., Path]:
    return write_houses
