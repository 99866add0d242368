"""Files are whole or not written; what is damaged is named; other writers' files load."""

from __future__ import annotations

import errno
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import CheckpointError
from chainrule.files import remove_leftovers, write_bytes
from chainrule.interop import load_file, read_metadata, save_file

ARRAYS: dict[str, Any] = {
    "float64": np.array([[1.0, np.nan], [np.inf, -0.0]]),
    "float32": np.float32([1e-45, 3.4e38]),
    "int64": np.array(-(2**62)),
    "uint8": np.arange(5, dtype=np.uint8)[::2],
    "bool": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "tensor": cr.tensor([1.0, 2.0]),
}


def test_round_trip_keeps_the_bits(tmp_path: Path) -> None:
    save_file(ARRAYS, tmp_path / "a.safetensors", {"note": "ä"})
    loaded = load_file(tmp_path / "a.safetensors")
    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].tobytes() == np.asarray(array).tobytes()
        assert (loaded[name].shape, loaded[name].dtype) == (np.shape(array), np.asarray(array).dtype)
    assert read_metadata(tmp_path / "a.safetensors") == {"note": "ä"}


def test_the_reference_reader_agrees(tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import load_file as reference

    save_file(ARRAYS | {"turned": np.arange(6.0).reshape(2, 3).T}, tmp_path / "a.safetensors", {"note": "ä"})
    found = reference(tmp_path / "a.safetensors")
    assert set(found) == {*ARRAYS, "turned"}
    np.testing.assert_array_equal(found.pop("turned"), [[0, 3], [1, 4], [2, 5]])
    for name, array in found.items():
        np.testing.assert_array_equal(array, np.asarray(ARRAYS[name]))
    with safe_open(tmp_path / "a.safetensors", "numpy") as opened:
        assert opened.metadata() == {"note": "ä"}


def test_arrays_are_written_as_they_lie_in_memory(tmp_path: Path) -> None:
    arrays = {f"part {number}": np.ones((256, 1024), np.float32) for number in range(4)}
    tracemalloc.start()
    save_file(arrays, tmp_path / "a.safetensors")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < arrays["part 0"].nbytes / 2


def test_what_has_no_place_in_such_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no element type complex64, as 'phase' is"):
        save_file({"phase": np.zeros(2, np.complex64)}, tmp_path / "a.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.oracle
def test_half_precision_of_pytorch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as theirs

    numbers = torch.tensor([1.5, -2.25, 1e-3, 65504.0])
    theirs({"h": numbers.half(), "b": numbers.bfloat16()}, tmp_path / "t.safetensors")
    loaded = load_file(tmp_path / "t.safetensors")
    np.testing.assert_array_equal(loaded["h"], numbers.half().float().numpy())
    np.testing.assert_array_equal(loaded["b"], numbers.bfloat16().float().numpy())


@pytest.mark.parametrize("kept", [0, 5, 8, 40, -1])
def test_a_truncated_file_is_named(kept: int, tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file(ARRAYS, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"a\.safetensors is not a whole safetensors file"):
        load_file(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        load_file(tmp_path / "no.safetensors")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"PK\x03\x04" + b"x" * 100)
    with pytest.raises(CheckpointError):
        load_file(tmp_path / "a.safetensors")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a"
    write_bytes(file, b"old")

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, failing, full)
    with pytest.raises(CheckpointError, match="no space left"):
        write_bytes(file, b"new")
    monkeypatch.undo()
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".checkpoint.x.tmp").write_bytes(b"half")
    (tmp_path / "checkpoint").write_bytes(b"whole")
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ["checkpoint"]
