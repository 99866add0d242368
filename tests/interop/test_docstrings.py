"""The examples in the docstrings of doors to Python libraries run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["sklearn.classifier", "sklearn.regressor", "scipy"])
def test_examples(name: str) -> None:
    pytest.importorskip(name.split(".")[0])
    result = doctest.testmod(importlib.import_module(f"chainrule.interop.{name}"))
    assert result.attempted > 1 and result.failed == 0
