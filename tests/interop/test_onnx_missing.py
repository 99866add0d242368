"""Without the package onnx it is said what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule import nn
from chainrule.errors import MissingDependencyError
from chainrule.interop.onnx import export, load


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingDependencyError, match=r"chainrule\[onnx\]"):
        export(nn.Linear(2, 2), np.zeros((1, 2), np.float32), tmp_path / "model.onnx")
    with pytest.raises(MissingDependencyError, match="pip install"):
        load(tmp_path / "model.onnx")
