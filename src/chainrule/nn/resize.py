"""Layers that make grids larger or smaller, trade channels for places, or cut images into windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import functional
from .applied import Applied
from .functional.axes import Sizes
from .module import Module


class Upsample(Module):
    """(batch, channels, *sizes) resampled to `size` or by `scale_factor`; modes as in `functional.interpolate`.

    >>> import chainrule as cr
    >>> Upsample(scale_factor=2)(cr.ones((1, 3, 4, 5))).shape
    (1, 3, 8, 10)
    """

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, _floats(scale_factor), mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, x: Any) -> Any:
        options = (self.mode, self.align_corners, self.recompute_scale_factor)
        return functional.interpolate(x, self.size, self.scale_factor, *options)

    def extra_repr(self) -> str:
        given = f"size={self.size}" if self.scale_factor is None else f"scale_factor={self.scale_factor}"
        return f"{given}, mode={self.mode!r}"


def _floats(scale_factor: Any) -> Any:
    if scale_factor is None:
        return None
    return tuple(map(float, scale_factor)) if isinstance(scale_factor, Sequence) else float(scale_factor)


class UpsamplingNearest2d(Upsample):
    """Upsample by the nearest pixel."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """Upsample bilinearly, the corners aligned."""

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)


class PixelShuffle(Applied):
    """(..., channels · r², height, width) to (..., channels, height · r, width · r) (Shi et al. 2016)."""

    function = staticmethod(functional.pixel_shuffle)

    def __init__(self, upscale_factor: int) -> None:
        super().__init__(upscale_factor=upscale_factor)


class PixelUnshuffle(Applied):
    """The inverse of PixelShuffle."""

    function = staticmethod(functional.pixel_unshuffle)

    def __init__(self, downscale_factor: int) -> None:
        super().__init__(downscale_factor=downscale_factor)


class ChannelShuffle(Applied):
    """Channels of each group spread over all groups (Zhang et al. 2018)."""

    function = staticmethod(functional.channel_shuffle)

    def __init__(self, groups: int) -> None:
        super().__init__(groups=groups)


class Unfold(Applied):
    """Windows of (batch, channels, height, width) as columns (batch, channels · window, places)."""

    function = staticmethod(functional.unfold)

    def __init__(self, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1) -> None:
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)


class Fold(Applied):
    """The transpose of Unfold: columns summed into images of `output_size`."""

    function = staticmethod(functional.fold)

    def __init__(
        self, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
    ) -> None:
        super().__init__(
            output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
        )
