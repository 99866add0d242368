"""The examples in the docstrings of data run as they stand."""

from __future__ import annotations

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["batches", "bpe", "buckets", "loader", "split", "stream", "text", "weights"])
def test_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(f"chainrule.data.{name}"))
    assert result.attempted > 0 and result.failed == 0
