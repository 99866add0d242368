"""ONNX: trained networks for other runtimes, and networks from elsewhere to go on training.

Needs the package onnx: pip install 'chainrule[onnx]'.
"""

from .call import OnnxError
from .export import export
from .load import load

__all__ = ["OnnxError", "export", "load"]
