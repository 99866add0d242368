"""The rest of a row whose length is no power of two, as a few whole vectors that overlap.

What they share is computed twice, with the same result: all of it is read before any of it is written. In pieces it
would take as many instructions as the length has bits; and a store under a mask delays whoever reads behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.types import DType
from ...records import dataclass
from ..text.emit import Function, Reg, memory_type
from ..text.tile import part


@dataclass(frozen=True)
class Ragged:
    """Vectors of `width` elements, from each of `starts` on."""

    width: int
    starts: tuple[int, ...]

    @property
    def lanes(self) -> int:
        """Of all of them together."""
        return self.width * len(self.starts)

    @property
    def places(self) -> list[int]:
        """Which element each lane is."""
        return [start + lane for start in self.starts for lane in range(self.width)]

    def load(self, f: Function, dtype: DType, pointer: Reg) -> Reg:
        """All lanes as one vector."""
        element = memory_type(dtype)
        parts = [f.load_elements(dtype, self.width, f.at(pointer, element, start)) for start in self.starts]
        while len(parts) > 1:
            parts = [f.joined(first, last) for first, last in zip(parts[::2], parts[1::2])]
        return parts[0]

    def store(self, f: Function, dtype: DType, value: Reg, pointer: Reg) -> None:
        """The reverse of load."""
        for number, start in enumerate(self.starts):
            own = part(f, value, number * self.width, self.width)
            f.store_elements(dtype, own, f.at(pointer, memory_type(dtype), start))


def ragged(size: int, most: int) -> Ragged | None:
    """So many elements as whole vectors of up to `most`, none beyond the last; None where pieces are as few.

    Vectors are a power of two, as they are joined in pairs: the last one may stand there twice.
    """
    width = min(most, 1 << (size.bit_length() - 1))
    count = 1 << (-(-size // width) - 1).bit_length()
    if count >= size // most + (size % most).bit_count():
        return None
    return Ragged(width, tuple(min(number * width, size - width) for number in range(count)))


def places_from(shape: Ragged | None, lanes: int) -> Sequence[int]:
    """Which element each lane is, of neighbours in pieces too."""
    return range(lanes) if shape is None else shape.places
