"""Arrays of a file as ours."""

from __future__ import annotations

from typing import Any

from ...ir.types import KNOWN
from .call import OnnxError
from .package import onnx


def array_of(tensor: Any) -> Any:
    """An array of a file; raises OnnxError for element types that we don't have."""
    kind = onnx().TensorProto.DataType.Name(tensor.data_type)
    if kind == "STRING":
        raise OnnxError(f"the array {tensor.name!r} holds strings")
    array = onnx().numpy_helper.to_array(tensor)
    if array.dtype not in KNOWN:
        raise OnnxError(f"the array {tensor.name!r} has the element type {kind.lower()}, which Chainrule has not")
    return array
