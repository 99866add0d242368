"""What code is written for: the processor as the writers of kernels see it."""

from __future__ import annotations

import platform

from ...records import dataclass


@dataclass(frozen=True)
class Target:
    """A processor: LLVM's name and features of it, and how many bytes a vector register has.

    bfloat16: whose instruction multiplies pairs of bfloat16, "avx512" or "neon"; "" for none; "widened": none, but
    products of bfloat16 are taken in pairs all the same.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    has_fma: bool
    bfloat16: str = ""

    def lanes(self, itemsize: int) -> int:
        """Elements of `itemsize` bytes in one register."""
        return self.vector_bytes // itemsize

    @property
    def registers(self) -> int:
        """How many vector registers there are."""
        return 32 if self.vector_bytes == 64 or self.triple.startswith("aarch64") else 16

    @property
    def has_scaling(self) -> bool:
        """Whether it has AVX-512's instruction for x * 2^n."""
        return self.vector_bytes == 64 and self.triple.startswith("x86_64")

    @property
    def has_past_caches(self) -> bool:
        """Whether it writes vectors past the caches: that pays where a line is fetched before it is written to."""
        return self.triple.startswith("x86_64")

    @property
    def has_assembler(self) -> bool:
        """Whether it has AVX-512, and assembly for it can be read here: LLVM has an assembler for its own machine."""
        return self.has_scaling and assembles_here()

    @property
    def attributes(self) -> str:
        """Attributes of every function."""
        bits = 8 * self.vector_bytes
        return (
            f'nounwind "target-cpu"="{self.cpu}" "target-features"="{self.features}" '
            f'"prefer-vector-width"="{bits}" "min-legal-vector-width"="{bits}"'
        )


def assembles_here() -> bool:
    """Whether assembly for x86-64 can be read here."""
    return platform.machine().lower() in ("x86_64", "amd64")
