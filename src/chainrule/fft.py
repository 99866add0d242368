"""cr.fft: Fourier transforms of the Array API standard, on tensors, of any length, with gradients of any order."""

from __future__ import annotations

from .ops import fourier
from .tensor import lifted

fft = lifted(fourier.fft)
fftfreq = lifted(fourier.fftfreq)
fftn = lifted(fourier.fftn)
fftshift = lifted(fourier.fftshift)
hfft = lifted(fourier.hfft)
ifft = lifted(fourier.ifft)
ifftn = lifted(fourier.ifftn)
ifftshift = lifted(fourier.ifftshift)
ihfft = lifted(fourier.ihfft)
irfft = lifted(fourier.irfft)
irfftn = lifted(fourier.irfftn)
rfft = lifted(fourier.rfft)
rfftfreq = lifted(fourier.rfftfreq)
rfftn = lifted(fourier.rfftn)

__all__ = [
    "fft",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfftn",
    "rfft",
    "rfftfreq",
    "rfftn",
]
