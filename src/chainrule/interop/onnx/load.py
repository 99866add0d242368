"""An ONNX file as a module that can be used and trained on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...errors import CheckpointError
from .package import onnx

if TYPE_CHECKING:
    from .module import OnnxModule


def load(path: str | os.PathLike[str]) -> OnnxModule:
    """Read an ONNX file as a module, in evaluation: it computes what the file says.

    Initialisers of floating point with at least one axis are parameters, by their names in the file; running
    statistics are buffers. After `.train()` batch norm takes the statistics of the batch and dropout drops, so that one
    can go on training. Raises OnnxError for operators and element types that Chainrule has not (strings,
    16-bit floats, 4-bit integers among them), CheckpointError for a file that is damaged.
    """
    package = onnx()
    try:
        proto = package.load(os.fspath(path))
    except FileNotFoundError:
        raise
    except Exception as error:  # protobuf has errors of its own
        raise CheckpointError(f"{path} is no ONNX file, or it is damaged: {error}") from error
    from .module import OnnxModule

    return OnnxModule(proto)
