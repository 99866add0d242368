"""Writes docs/operations.md: every primitive with its formula and its derivative, read off the registry.

The derivative's text is not typed by anyone: the rule is traced on symbols and printed.

    python tools/operations_table.py          write the page
    python tools/operations_table.py --check  fail if the page is not up to date
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chainrule import ops  # noqa: F401  (fills the registry)
from chainrule.ir.build import Trace, placeholder, tracing
from chainrule.ir.primitive import NoGradient, Primitive, Sample, all_primitives
from chainrule.ir.show import formula
from chainrule.ir.types import ArrayType

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operations.md"
HEADER = """# Operations

Every primitive of the engine: what it computes, and what carries a cotangent back through it. In the derivatives g is
the cotangent of the result y, and a, b, c are the inputs; a number may stand for an array of that number.
Everything else (`softmax`, `gelu`, `layer_norm`, losses ...) is made of these. Written by `tools/operations_table.py`
from the registry.

| primitive | value | derivative | tested on |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [row(primitive) for _, primitive in sorted(all_primitives().items())]
    return HEADER + "\n".join(rows) + "\n"


def row(primitive: Primitive) -> str:
    """One line of the table."""
    samples = list(primitive.samples())
    dtypes = {value.dtype.name for sample in samples for value in sample.inputs}
    listed = "bool " * ("bool" in dtypes) + "integers " * any("int" in name for name in dtypes)
    floats = " ".join(sorted(name for name in dtypes if name.startswith(("float", "complex"))))
    value = primitive.formula.format(*"abcdefgh", all="a, b, ...", **_names(samples[0]))
    return f"| `{primitive.name}` | {_cell(value)} | {_cell(derivative(primitive, samples))} | {listed}{floats} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("*", "\\*")


def _names(sample: Sample) -> dict[str, str]:
    return {name: name for name in sample.params}


def derivative(primitive: Primitive, samples: list[Sample]) -> str:
    """The rules traced on symbols, as formulas."""
    if isinstance(primitive.derivative, NoGradient):
        return f"none: {primitive.derivative.reason}"
    sample = next(s for s in samples if s.inputs and any(value.dtype.kind in "fc" for value in s.inputs))
    return "; ".join(_rules(primitive, sample))


def _rules(primitive: Primitive, sample: Sample) -> Iterator[str]:
    inputs = [placeholder(ArrayType(value.shape, value.dtype)) for value in sample.inputs]
    with tracing(Trace()):
        result = primitive(*inputs, **sample.params)
        outputs = result if isinstance(result, tuple) else (result,)
        cotangents = tuple(placeholder(output.type) for output in outputs)
        names = {id(value): letter for value, letter in zip(inputs, "abcdefgh")}
        names |= {id(value): "y" for value in outputs} | {id(value): "g" for value in cotangents}
        given: Any = (cotangents, outputs) if isinstance(result, tuple) else (cotangents[0], result)
        for position, value in enumerate(inputs):
            rule = primitive.rule_for(position, len(inputs))
            if rule is not None and value.type.is_float:
                found = rule(*given, *inputs, **sample.params)
                yield f"d{names[id(value)]} = {'0' if found is None else formula(found, names)}"


def main() -> int:
    """Write or check the page."""
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print("docs/operations.md is not up to date: run python tools/operations_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
