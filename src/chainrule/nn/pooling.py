"""Pooling layers on (batch, channels, *sizes)."""

from __future__ import annotations

from typing import Any

from . import spatial
from .module import Module
from .spatial import Sizes


class _Pool(Module):
    function: Any

    def __init__(self, kernel_size: Sizes, **options: Any) -> None:
        super().__init__()
        self.kernel_size, self.options = kernel_size, options

    def forward(self, x: Any) -> Any:
        return type(self).function(x, self.kernel_size, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(
            [f"kernel_size={self.kernel_size}"] + [f"{name}={each}" for name, each in self.options.items()]
        )


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        stride = kernel_size if stride is None else stride
        options = {"dilation": dilation, "ceil_mode": ceil_mode, "return_indices": return_indices}
        super().__init__(kernel_size, stride=stride, padding=padding, **options)


class MaxPool1d(_MaxPool):
    """The largest of each window along the length."""

    function = staticmethod(spatial.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest of each window over height and width."""

    function = staticmethod(spatial.max_pool2d)


class AvgPool1d(_Pool):
    """The mean of each window along the length."""

    function = staticmethod(spatial.avg_pool1d)

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        stride = kernel_size if stride is None else stride
        super().__init__(
            kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad
        )


class AvgPool2d(_Pool):
    """The mean of each window over height and width."""

    function = staticmethod(spatial.avg_pool2d)

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        stride = kernel_size if stride is None else stride
        options = {"count_include_pad": count_include_pad, "divisor_override": divisor_override}
        super().__init__(kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode, **options)


class _Adaptive(Module):
    function: Any

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, x: Any) -> Any:
        return type(self).function(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_Adaptive):
    """The length cut into output_size parts, each averaged."""

    function = staticmethod(spatial.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """Height and width cut into output_size parts, each averaged."""

    function = staticmethod(spatial.adaptive_avg_pool2d)


class AdaptiveMaxPool1d(_Adaptive):
    """The length cut into output_size parts, the largest of each."""

    function = staticmethod(spatial.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_Adaptive):
    """Height and width cut into output_size parts, the largest of each."""

    function = staticmethod(spatial.adaptive_max_pool2d)
