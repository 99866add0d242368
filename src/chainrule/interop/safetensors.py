"""Arrays in safetensors files (Hugging Face's format: a JSON header and raw bytes; nothing in it can run code)."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..ir.types import NumpyArray

LARGEST_HEADER = 100_000_000


def save_file(
    arrays: Mapping[str, Any], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays or tensors by name, atomically: `save_file(model.state_dict(), "model.safetensors")`.

    Arrays are written as they lie in memory: no copy of all of them is made. Raises CheckpointError where the file
    can't be written, or an array has a type that such files don't have; an old file is then untouched.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file as save

    from ..files import replaced

    plain = {name: np.ascontiguousarray(np.asarray(array)).reshape(np.shape(array)) for name, array in arrays.items()}
    unknown = [name for name, array in plain.items() if array.dtype.name not in KINDS]
    if unknown:
        kind = plain[unknown[0]].dtype
        raise CheckpointError(f"{path}: safetensors files have no element type {kind}, as {unknown[0]!r} is")
    with replaced(Path(path)) as temporary:
        try:
            save(plain, temporary, dict(metadata) if metadata else None)
        except SafetensorError as error:  # also where the system could not write
            number = re.search(r"os error (\d+)", str(error))
            code = int(number[1]) if number else errno.EIO
            raise OSError(code, os.strerror(code) if number else str(error)) from error


def load_file(path: str | os.PathLike[str]) -> dict[str, NumpyArray]:
    """Arrays by name, as NumPy; PyTorch's and Hugging Face's files too (float16 and bfloat16 become float32).

    Raises CheckpointError that says what is wrong with a missing, truncated or damaged file.
    """
    content = _read(Path(path))
    header, start = _header(content, Path(path))
    return {
        name: _array(content, start, name, entry, Path(path))
        for name, entry in header.items()
        if name != "__metadata__"
    }


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts that were saved beside the arrays."""
    header, _ = _header(_read(Path(path)), Path(path))
    return dict(header.get("__metadata__", {}))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{path} does not exist") from None
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror}") from error


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(f"{path} is not a whole safetensors file: {what}; it was cut short or damaged, use a copy")


def _header(content: bytes, path: Path) -> tuple[dict[str, Any], int]:
    if len(content) < 8:
        raise _damaged(path, f"it has only {len(content)} bytes")
    (length,) = struct.unpack("<Q", content[:8])
    if length > min(LARGEST_HEADER, len(content) - 8):
        raise _damaged(path, f"its header should have {length} bytes but the file has {len(content)}")
    try:
        header = json.loads(content[8 : 8 + length])
    except ValueError as error:
        raise _damaged(path, f"its header can't be read ({error})") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is not a table of arrays")
    return header, 8 + length


DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "|u1",
    "BOOL": "|b1",
}
KINDS = {np.dtype(dtype).name for kind, dtype in DTYPES.items() if kind != "BF16"} | {"bfloat16"}
"""NumPy's names of the types that are written."""


def _array(content: bytes, start: int, name: str, entry: Any, path: Path) -> NumpyArray:
    try:
        kind, shape, (begin, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(path, f"the entry of {name!r} can't be read") from error
    if kind not in DTYPES:
        raise CheckpointError(f"{path}: {name!r} has the element type {kind}, which is not supported")
    dtype = np.dtype(DTYPES[kind])
    if start + end > len(content) or end - begin != int(np.prod(shape, dtype=np.int64)) * dtype.itemsize:
        raise _damaged(path, f"the data of {name!r} is not all there")
    array = np.frombuffer(content, dtype, offset=start + begin, count=(end - begin) // dtype.itemsize).reshape(shape)
    if kind == "BF16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32) if kind == "F16" else array.copy()
