"""The header of a library, and a program that uses it, as C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import ConfigurationError
from ...ir.types import ArrayType, DType

TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t"}


def c_type(dtype: DType) -> str:
    """An element type as C has it."""
    if dtype.kind not in "fiub" or dtype.itemsize > 8 or dtype == np.dtype("float16"):
        raise ConfigurationError(f"C has no type for {dtype}, which the exported function has among its arrays")
    return TYPES.get(dtype.name) or f"{dtype.name}_t"


@dataclass(frozen=True)
class Array:
    """An argument, a result or a part of the state."""

    name: str
    kind: ArrayType
    offset: int = 0

    @property
    def type(self) -> str:
        """C's type of one element."""
        return c_type(self.kind.dtype)

    @property
    def shape(self) -> str:
        """Its shape for people."""
        return f"({', '.join(map(str, self.kind.shape))}{',' if self.kind.ndim == 1 else ''})"


@dataclass(frozen=True)
class Signature:
    """A function of the library."""

    name: str
    inputs: tuple[Array, ...]
    results: tuple[Array, ...]

    @property
    def arrays(self) -> tuple[Array, ...]:
        """What follows the state, in order."""
        return (*self.inputs, *self.results)


@dataclass(frozen=True)
class Contents:
    """What a header tells."""

    name: str
    target: str
    functions: tuple[Signature, ...]
    parts: tuple[Array, ...]
    saved_bytes: int
    total_bytes: int
    stack_bytes: int
    has_init: bool


HEAD = """\
/* {name}.h: made by Chainrule for {target}. Link with {name}.o, and with -lm where the linker asks for it.

   All functions work on one block of {upper}_STATE_BYTES bytes, aligned to 64, that you provide. Its first
   {upper}_SAVED_BYTES bytes hold weights, moments and options; they may be copied, saved and loaded. The rest is used
   during a call only. Arrays are dense, the last axis innermost, and don't overlap one another. A call runs on the
   thread that makes it and takes nothing but the stack, of which about {upper}_STACK_BYTES bytes; two threads may
   work on two blocks at once. Functions return 0, or 1 where an index or a label was out of range. */

#ifndef {upper}_H
#define {upper}_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

#define {upper}_SAVED_BYTES {saved}
#define {upper}_STATE_BYTES {total}
#define {upper}_STACK_BYTES {stack}
"""
TAIL = """
#ifdef __cplusplus
}}
#endif

#endif /* {upper}_H */
"""
INIT = """
/* Fills the block: weights, moments and options as they were when the library was made. */
void {name}_init(void *state);
"""
LOAD = """
/* The block begins as {name}.state: read {upper}_SAVED_BYTES bytes of that file into it. */
"""


def header(contents: Contents) -> str:
    """The header file."""
    upper = contents.name.upper()
    head = HEAD.format(
        name=contents.name,
        target=contents.target,
        upper=upper,
        saved=contents.saved_bytes,
        total=contents.total_bytes,
        stack=contents.stack_bytes,
    )
    start = (INIT if contents.has_init else LOAD).format(name=contents.name, upper=upper)
    functions = [_prototype(contents.name, each) for each in contents.functions]
    parts = ["\n/* Where things lie in a block. */", *(_accessor(contents.name, part) for part in contents.parts)]
    return "\n".join([head + start, *functions, *parts, TAIL.format(upper=upper)])


def _prototype(library: str, function: Signature) -> str:
    parameters = [
        f"{'const ' if each in function.inputs else ''}{each.type} {each.name}[{max(1, each.kind.size)}]"
        for each in function.arrays
    ]
    told = "; ".join(f"{each.name} {each.shape}" for each in function.arrays)
    lines = _wrapped(["void *state", *parameters])
    return f"/* {told} */\nint {library}_{function.name}({lines});\n"


def _wrapped(parameters: Sequence[str]) -> str:
    text = ", ".join(parameters)
    return text if len(text) < 90 else ",\n    ".join(["", *parameters])[1:]


def _accessor(library: str, part: Array) -> str:
    cast = f"({part.type} *)((char *)state + {part.offset})"
    return f"static inline {part.type} *{library}_{part.name}(void *state) {{ return {cast}; }} /* {part.shape} */"


EXAMPLE = """\
/* Runs {name}_{function} for as long as standard input lasts. A round reads {inputs},
   as raw bytes one after another. It prints the first element of every result. With an argument the state is
   written to that file in the end. Build it: cc -O2 {name}_example.c {name}.o -lm -o {name}_example */

#include <stdio.h>
#include "{name}.h"

static _Alignas(64) unsigned char state[{upper}_STATE_BYTES];
{arrays}

int main(int count, char **arguments)
{{
{start}
    while ({reads}) {{
        if ({name}_{function}(state, {names})) {{
            fprintf(stderr, "an index or a label is out of range\\n");
            return 1;
        }}
        printf("{formats}\\n", {firsts});
    }}
    if (count > 1) {{
        FILE *file = fopen(arguments[1], "wb");
        if (!file || fwrite(state, {upper}_SAVED_BYTES, 1, file) != 1 || fclose(file))
            return 1;
    }}
    return 0;
}}
"""
START = "    {name}_init(state);"
START_FROM_FILE = """\
    FILE *start = fopen("{name}.state", "rb");
    if (!start || fread(state, {upper}_SAVED_BYTES, 1, start) != 1)
        return 1;
    fclose(start);"""


def example(contents: Contents) -> str:
    """A program that runs the first function on what it reads."""
    function = contents.functions[0]
    names = {"name": contents.name, "upper": contents.name.upper()}
    arrays = [f"static {each.type} {each.name}[{max(1, each.kind.size)}];" for each in function.arrays]
    reads = [f"fread({each.name}, sizeof {each.name}, 1, stdin) == 1" for each in function.inputs]
    return EXAMPLE.format(
        **names,
        function=function.name,
        inputs=", ".join(each.name for each in function.inputs),
        arrays="\n".join(arrays),
        start=(START if contents.has_init else START_FROM_FILE).format(**names),
        reads="\n           && ".join(reads),
        names=", ".join(each.name for each in function.arrays),
        formats=" ".join("%.17g" for _ in function.results),
        firsts=", ".join(f"(double){each.name}[0]" for each in function.results),
    )
