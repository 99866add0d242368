"""Pooling layers on (batch, channels, *sizes)."""

from __future__ import annotations

from typing import Any

from . import functional
from .applied import Applied
from .functional.axes import Sizes


class _MaxPool(Applied):
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
        super().__init__(
            kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
        )
        self.return_indices = return_indices

    def forward(self, *inputs: Any) -> Any:
        return type(self).function(*inputs, return_indices=self.return_indices, **self.options)


class MaxPool1d(_MaxPool):
    """The largest of each window along the length."""

    function = staticmethod(functional.max_pool1d)


class MaxPool2d(_MaxPool):
    """The largest of each window over height and width.

    >>> import chainrule as cr
    >>> MaxPool2d(2)(cr.zeros((1, 3, 8, 6))).shape
    (1, 3, 4, 3)
    """

    function = staticmethod(functional.max_pool2d)


class MaxPool3d(_MaxPool):
    """The largest of each window over depth, height and width."""

    function = staticmethod(functional.max_pool3d)


class _AvgPool(Applied):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        **more: Any,
    ) -> None:
        stride = kernel_size if stride is None else stride
        options = {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad, **more}
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding, **options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={self.options[name]}" for name in ("kernel_size", "stride", "padding"))


class AvgPool1d(_AvgPool):
    """The mean of each window along the length."""

    function = staticmethod(functional.avg_pool1d)


class _AvgPoolWithDivisor(_AvgPool):
    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=divisor_override)


class AvgPool2d(_AvgPoolWithDivisor):
    """The mean of each window over height and width."""

    function = staticmethod(functional.avg_pool2d)


class AvgPool3d(_AvgPoolWithDivisor):
    """The mean of each window over depth, height and width."""

    function = staticmethod(functional.avg_pool3d)


class _Adaptive(Applied):
    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size=output_size)


class AdaptiveAvgPool1d(_Adaptive):
    """The length cut into output_size parts, each averaged."""

    function = staticmethod(functional.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_Adaptive):
    """Height and width cut into output_size parts, each averaged; None keeps a size."""

    function = staticmethod(functional.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_Adaptive):
    """Depth, height and width cut into output_size parts, each averaged; None keeps a size."""

    function = staticmethod(functional.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_Adaptive):
    """The length cut into output_size parts, the largest of each."""

    function = staticmethod(functional.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_Adaptive):
    """Height and width cut into output_size parts, the largest of each; None keeps a size."""

    function = staticmethod(functional.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_Adaptive):
    """Depth, height and width cut into output_size parts, the largest of each; None keeps a size."""

    function = staticmethod(functional.adaptive_max_pool3d)


class _LPPool(Applied):
    def __init__(
        self, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__(norm_type=norm_type, kernel_size=kernel_size, stride=stride, ceil_mode=ceil_mode)


class LPPool1d(_LPPool):
    """The p-norm of each window along the length."""

    function = staticmethod(functional.lp_pool1d)


class LPPool2d(_LPPool):
    """The p-norm of each window over height and width."""

    function = staticmethod(functional.lp_pool2d)


class LPPool3d(_LPPool):
    """The p-norm of each window over depth, height and width."""

    function = staticmethod(functional.lp_pool3d)


class _MaxUnpool(Applied):
    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__(kernel_size=kernel_size, stride=kernel_size if stride is None else stride, padding=padding)

    def forward(self, x: Any, indices: Any, output_size: Any = None) -> Any:
        return type(self).function(x, indices, output_size=output_size, **self.options)


class MaxUnpool1d(_MaxUnpool):
    """The largest of each window back where MaxPool1d(return_indices=True) found them, zero elsewhere."""

    function = staticmethod(functional.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """The largest of each window back where MaxPool2d(return_indices=True) found them, zero elsewhere.

    >>> import chainrule as cr
    >>> largest, places = MaxPool2d(2, return_indices=True)(cr.ones((1, 1, 4, 4)))
    >>> MaxUnpool2d(2)(largest, places).shape
    (1, 1, 4, 4)
    """

    function = staticmethod(functional.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """The largest of each window back where MaxPool3d(return_indices=True) found them, zero elsewhere."""

    function = staticmethod(functional.max_unpool3d)
