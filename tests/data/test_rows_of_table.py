"""Tables and folders as streams: the examples of a stream are those of the whole, wherever it begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from chainrule import data
from chainrule.errors import DataError


def write_table(path: Path, rows: int = 2500, gaps: bool = False) -> Path:
    random = np.random.default_rng(0)
    lines = ["size,colour,price"]
    for row in range(rows):
        price = "" if gaps and row % 7 == 2 else f"{random.normal():.3f}"
        lines.append(f"{random.normal():.3f},{'rgb'[row % 3]},{price}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("gaps", [False, True])
def test_rows_are_those_of_the_table_from_any_start(tmp_path: Path, gaps: bool) -> None:
    path = write_table(tmp_path / "t.csv", gaps=gaps)
    encoder = data.TableEncoder.fit(next(data.stream_table(path, 500)), "price", drop_missing_labels=gaps)
    inputs, targets = encoder.encode(data.read_table(path))
    source = data.table_rows(path, encoder)
    for start in (0, 1, 1023, 1024, 2000):
        found = list(source.read(start))
        np.testing.assert_array_equal(np.stack([each[0] for each in found]), inputs[start:])
        np.testing.assert_array_equal(np.stack([each[1] for each in found]), targets[start:])


def test_rows_before_the_start_are_not_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_table(tmp_path / "t.csv", gaps=True)
    encoder = data.TableEncoder.fit(next(data.stream_table(path, 500)), "price", drop_missing_labels=True)
    encode, encoded = data.TableEncoder.encode_labelled, list[int]()

    def counted(self: data.TableEncoder, table: data.Table) -> tuple[np.ndarray, np.ndarray]:
        encoded.append(len(table))
        return encode(self, table)

    monkeypatch.setattr(data.TableEncoder, "encode_labelled", counted)
    whole = sum(1 for _ in data.table_rows(path, encoder).read(0))
    parts = list(encoded)
    assert len(parts) == 3 and sum(parts) == whole
    for start, expected in ((parts[0] - 1, parts), (parts[0], parts[1:]), (whole - 1, parts[2:]), (whole, [])):
        encoded.clear()
        assert sum(1 for _ in data.table_rows(path, encoder).read(start)) == whole - start
        assert encoded == expected


def test_parts_without_any_label_are_passed_over_or_named(tmp_path: Path) -> None:
    """A thousand rows are read at a time: none of the second thousand has a label."""
    lines = [f"{row % 11},{'' if 1024 <= row < 2048 else row % 9}" for row in range(2100)]
    (tmp_path / "t.csv").write_text("\n".join(["size,price", *lines]) + "\n", encoding="utf-8")
    head = next(data.stream_table(tmp_path / "t.csv", 500))
    fitted = {
        drop: data.TableEncoder.fit(head, "price", task="regression", drop_missing_labels=drop)
        for drop in (True, False)
    }
    assert sum(1 for _ in data.table_rows(tmp_path / "t.csv", fitted[True]).read(0)) == 2100 - 1024
    with pytest.raises(DataError, match=r"'price' is missing in lines 1026, 1027, .*1024 of 1024 rows"):
        list(data.table_rows(tmp_path / "t.csv", fitted[False]).read(0))


def test_parquet_is_read_in_parts_from_any_row(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    numbers = np.arange(1000.0)
    table = pyarrow.table({"a": numbers, "b": [str(int(number) % 5) for number in numbers]})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=300)
    for start in (0, 299, 300, 450, 999, 1000):
        parts = list(data.stream_table(tmp_path / "t.parquet", 128, start=start))
        found = [number for part in parts for number in part.column("a")]
        assert found == numbers[start:].tolist() and all(len(part) <= 128 for part in parts)


def test_images_are_decoded_when_wanted(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        for number in range(4):
            image.fromarray(random.integers(0, 255, (5, 4, 3), dtype=np.uint8)).save(tmp_path / name / f"{number}.png")
    whole = data.read_image_folder(tmp_path)
    files = data.image_files(tmp_path)
    assert files.classes == ("left", "right") and len(files) == 8
    images, labels = next(iter(data.loader(files, 8)))
    np.testing.assert_array_equal(np.rint(images * 255).astype(np.uint8), whole.images)
    np.testing.assert_array_equal(labels, whole.labels)
    encoder = data.ImageEncoder.fit(whole)
    encoded, _ = next(iter(data.loader(data.image_files(tmp_path, encoder=encoder), 8)))
    np.testing.assert_array_equal(encoded, encoder.encode(whole.images))
    (tmp_path / "left" / "0.png").write_bytes(b"no image")
    with pytest.raises(data.images.DataError, match=r"0\.png can't be read"):
        files[0]
