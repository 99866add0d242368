"""A view of an array in memory, as a kernel sees it: pointer, element type, shape and strides known, contents not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ...ir.types import ArrayType, DType, Shape, uint8
from ...records import dataclass
from .emit import Function, Reg, const, memory_type, vector_of
from .lanes import shuffled

Index = Reg | int


def dense_strides(shape: Shape) -> Shape:
    """Strides in elements of a row-major array without gaps."""
    return tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))


@dataclass(frozen=True, slots=True)
class Array:
    """Strides count elements; they may be 0 (the same element again), negative, and in any order."""

    pointer: Reg
    dtype: DType
    shape: Shape
    strides: Shape

    @staticmethod
    def dense(pointer: Reg, kind: ArrayType) -> Array:
        """A row-major array without gaps."""
        return Array(pointer, kind.dtype, kind.shape, dense_strides(kind.shape))

    @property
    def type(self) -> ArrayType:
        """Shape and element type."""
        return ArrayType(self.shape, self.dtype)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def is_dense(self) -> bool:
        """Whether the elements lie row-major without gaps."""
        expected = dense_strides(self.shape)
        return all(size == 1 or stride == want for size, stride, want in zip(self.shape, self.strides, expected))

    # -- single elements

    def address(self, f: Function, indices: Sequence[Index]) -> Reg:
        """The pointer to one element; fewer indices than axes give the first element of what is left."""
        offset = Reg("i64", "0")
        for index, stride in zip(indices, self.strides):
            place = Reg("i64", str(index)) if isinstance(index, int) else index
            offset = f.add(f.times(place, stride), offset)
        return f.at(self.pointer, memory_type(self.dtype), offset)

    def load(self, f: Function, indices: Sequence[Index]) -> Reg:
        """One element."""
        return f.load_elements(self.dtype, 0, self.address(f, indices))

    def store(self, f: Function, indices: Sequence[Index], value: Reg) -> None:
        """Set one element."""
        f.store_elements(self.dtype, value, self.address(f, indices))

    # -- neighbours along one axis

    def load_lanes(self, f: Function, indices: Sequence[Index], lanes: int, axis: int = -1) -> Reg:
        """`lanes` neighbours along `axis`, the first of them at `indices`; 0 lanes is a scalar."""
        return load_strided(f, self.dtype, self.address(f, indices), self.strides[axis] if lanes else 0, lanes)

    def store_lanes(self, f: Function, indices: Sequence[Index], value: Reg, axis: int = -1) -> None:
        """Set as many neighbours along `axis` as `value` has lanes."""
        store_strided(f, self.dtype, value, self.address(f, indices), self.strides[axis] if value.lanes else 0)

    # -- other views of the same memory

    def row(self, f: Function, *indices: Index) -> Array:
        """What is left when the first axes are fixed."""
        fixed = len(indices)
        return Array(self.address(f, indices), self.dtype, self.shape[fixed:], self.strides[fixed:])

    def raw(self) -> Array:
        """The same with bools as bytes, for copies."""
        return replace(self, dtype=uint8) if self.dtype.kind == "b" else self

    def permuted(self, axes: Sequence[int]) -> Array:
        """Its axes in another order."""
        chosen = [(self.shape[axis], self.strides[axis]) for axis in axes]
        return replace(self, shape=tuple(size for size, _ in chosen), strides=tuple(step for _, step in chosen))

    def broadcast(self, shape: Shape) -> Array:
        """Axes of size 1 and missing leading ones repeated."""
        extra = len(shape) - self.ndim
        steps = [0 if have != want else step for have, want, step in zip(self.shape, shape[extra:], self.strides)]
        return replace(self, shape=shape, strides=(0,) * extra + tuple(steps))

    def sliced(self, f: Function, starts: Shape, steps: Shape, shape: Shape) -> Array:
        """`shape` elements from `starts` on, every `steps`-th (negative ones go backwards)."""
        strides = tuple(stride * step for stride, step in zip(self.strides, steps))
        pointer = self.address(f, starts) if math.prod(shape) else self.pointer
        return Array(pointer, self.dtype, shape, strides)

    def reshaped(self, shape: Shape) -> Array:
        """A dense array in another shape."""
        return replace(self, shape=shape, strides=dense_strides(shape))


# -- lanes at any stride


def insert(f: Function, vector: Reg, value: Reg, lane: int) -> Reg:
    """The vector with one lane replaced."""
    return f.emit(vector.type, f"insertelement {vector}, {value}, i64 {lane}")


def load_strided(f: Function, dtype: DType, pointer: Reg, stride: int, lanes: int) -> Reg:
    """`lanes` elements, `stride` elements apart."""
    element = memory_type(dtype)
    if lanes in (0, 1):
        value = f.load(element, pointer)
        value = f.splat(value, lanes)
    elif stride == 0:
        value = f.splat(f.load(element, pointer), lanes)
    elif stride in (1, -1):
        first = pointer if stride == 1 else f.at(pointer, element, 1 - lanes)
        value = f.load(vector_of(element, lanes), first)
        value = value if stride == 1 else shuffled(f, value, value, range(lanes - 1, -1, -1))
    elif stride == 2:
        value = _every_other(f, element, pointer, lanes)
    else:
        value = Reg(vector_of(element, lanes), "poison")
        for lane in range(lanes):
            value = insert(f, value, f.load(element, f.at(pointer, element, lane * stride)), lane)
    return f.compare("icmp ne", value, const(value.type, 0)) if dtype.kind == "b" else value


def _every_other(f: Function, element: str, pointer: Reg, lanes: int) -> Reg:
    """Two loads that overlap by one element, so that nothing behind the last one is read."""
    type = vector_of(element, lanes)
    first, second = f.load(type, pointer), f.load(type, f.at(pointer, element, lanes - 1))
    places = range(0, 2 * lanes, 2)
    return shuffled(f, first, second, [place if place < lanes else place + 1 for place in places])


def store_strided(f: Function, dtype: DType, value: Reg, pointer: Reg, stride: int) -> None:
    """Each lane `stride` elements after the one before."""
    element, lanes = memory_type(dtype), value.lanes
    stored = f.convert("zext", value, "i8") if dtype.kind == "b" else value
    if lanes == 0 or stride == 1:
        f.store(stored, pointer)
    elif stride == -1 and lanes > 1:
        f.store(shuffled(f, stored, stored, range(lanes - 1, -1, -1)), f.at(pointer, element, 1 - lanes))
    else:
        for lane in range(lanes):
            f.store(f.extract(stored, lane), f.at(pointer, element, lane * stride))
