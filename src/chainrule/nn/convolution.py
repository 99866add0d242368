"""Convolutional layers: (batch, channels, *sizes), weights (out, in / groups, *kernel), PyTorch's defaults."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ConfigurationError, ShapeError
from ..tensor import Parameter, asarray
from . import functional, init
from .functional.axes import Sizes, sizes_per_axis
from .module import Module


class _Convolution(Module):
    rank: int
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Any = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self._check(in_channels, out_channels, groups, padding, padding_mode)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = sizes_per_axis(kernel_size, self.rank, "kernel_size")
        self.stride = sizes_per_axis(stride, self.rank, "stride")
        self.dilation = sizes_per_axis(dilation, self.rank, "dilation")
        self.padding = padding if isinstance(padding, str) else sizes_per_axis(padding, self.rank, "padding", 0)
        self.padding_mode = padding_mode
        outer, inner = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = init.empty((outer, inner // groups, *self.kernel_size), dtype)
        self.bias: Parameter | None = init.empty((out_channels,), dtype) if bias else None
        self.reset_parameters()

    def _check(self, in_channels: int, out_channels: int, groups: int, padding: Any, padding_mode: str) -> None:
        if isinstance(padding, str) and (self.transposed or padding not in ("same", "valid")):
            known = "a number or numbers" if self.transposed else "a number, numbers, 'same' or 'valid'"
            raise ConfigurationError(f"{type(self).__name__}: padding is {known}, not {padding!r}")
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ConfigurationError(
                f"{type(self).__name__}: {in_channels} channels in, {out_channels} out must divide into groups={groups}"
            )
        if padding_mode != "zeros":
            raise ConfigurationError(
                f"{type(self).__name__} supports padding_mode='zeros', not {padding_mode!r}: "
                "pad before it with functional.pad"
            )

    def reset_parameters(self) -> None:
        """Draw the weights anew: uniform within ±1/√fan-in."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in, _ = init.fans(self.weight)
        if self.bias is not None and fan_in:
            init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def _check_channels(self, x: Any) -> Any:
        x = asarray(x)
        if x.ndim in (self.rank + 1, self.rank + 2) and x.shape[-self.rank - 1] != self.in_channels:
            raise ShapeError(
                f"{self!r} takes {self.in_channels} channels, but was given {x.shape}: (batch, channels, *sizes) has "
                f"{x.shape[-self.rank - 1]}"
            )
        return x

    def extra_repr(self) -> str:
        shown = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        shown += f", padding={self.padding}" if self.padding != (0,) * self.rank else ""
        shown += f", dilation={self.dilation}" if self.dilation != (1,) * self.rank else ""
        shown += self._more()
        shown += f", groups={self.groups}" if self.groups != 1 else ""
        return shown + (", bias=False" if self.bias is None else "")

    def _more(self) -> str:
        return ""


class _Forward(_Convolution):
    function: Any

    def forward(self, x: Any) -> Any:
        options = (self.stride, self.padding, self.dilation, self.groups)
        return type(self).function(self._check_channels(x), self.weight, self.bias, *options)


class Conv1d(_Forward):
    """Convolution along the length: (batch, in, length) to (batch, out, places)."""

    rank = 1
    function = staticmethod(functional.conv1d)


class Conv2d(_Forward):
    """Convolution over images: (batch, in, height, width) to (batch, out, rows, columns).

    >>> import chainrule as cr
    >>> Conv2d(1, 6, 5, padding=2)(cr.zeros((2, 1, 28, 28))).shape
    (2, 6, 28, 28)
    """

    rank = 2
    function = staticmethod(functional.conv2d)


class Conv3d(_Forward):
    """Convolution over volumes: (batch, in, depth, height, width)."""

    rank = 3
    function = staticmethod(functional.conv3d)


class _Transposed(_Convolution):
    transposed = True
    function: Any

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, dtype
        )
        self.output_padding = sizes_per_axis(output_padding, self.rank, "output_padding", 0)

    def _more(self) -> str:
        return f", output_padding={self.output_padding}" if any(self.output_padding) else ""

    def forward(self, x: Any) -> Any:
        options = (self.stride, self.padding, self.output_padding, self.groups, self.dilation)
        return type(self).function(self._check_channels(x), self.weight, self.bias, *options)


class ConvTranspose1d(_Transposed):
    """Transposed convolution along the length."""

    rank = 1
    function = staticmethod(functional.conv_transpose1d)


class ConvTranspose2d(_Transposed):
    """Transposed convolution over images: makes them larger."""

    rank = 2
    function = staticmethod(functional.conv_transpose2d)


class ConvTranspose3d(_Transposed):
    """Transposed convolution over volumes."""

    rank = 3
    function = staticmethod(functional.conv_transpose3d)
