"""ONNX: trained networks for other runtimes, and networks from elsewhere to go on training.

Needs the package onnx: pip install 'chainrule[onnx]'.
"""

from .export import export

__all__ = ["export"]
