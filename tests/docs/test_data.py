"""docs/data.md and docs/scikit-learn-and-scipy.md are executed, and show what they say they show."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("page", "needs"), [("data.md", ()), ("scikit-learn-and-scipy.md", ("sklearn", "scipy"))])
def test_every_example_gives_what_the_page_says(page: str, needs: tuple[str, ...]) -> None:
    for package in needs:
        pytest.importorskip(package)
    result = doctest.testfile(str(DOCS / page), module_relative=False, encoding="utf-8")
    assert result.attempted > 15
    assert result.failed == 0
