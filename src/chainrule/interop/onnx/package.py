"""The package onnx, loaded when it is first needed."""

from __future__ import annotations

from typing import Any

from ...errors import missing_dependency

OPSET = 18
IR_VERSION = 9
PARAMETERS, BUFFERS = "chainrule.parameters", "chainrule.buffers"
"""Where a file of ours says which of its arrays are trained, and which are statistics."""


def onnx() -> Any:
    """The package; raises MissingDependencyError where it is not installed."""
    try:
        import onnx
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        raise missing_dependency("onnx", "reading and writing ONNX files", "onnx") from error
    return onnx
