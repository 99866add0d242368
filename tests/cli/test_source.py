"""What SOURCE means, and options that don't fit it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chainrule.cli.source import ImageOptions, Source, TableOptions, check_fits, kind_of
from chainrule.errors import CheckpointError, ConfigurationError, DataError


def test_kinds(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert kind_of("digits") == "digits"
    assert kind_of(str(tmp_path / "a.csv")) == "table"
    assert kind_of(str(tmp_path)) == "images"


def test_near_names_are_offered(tmp_path: Path) -> None:
    (tmp_path / "houses.csv").write_text("x\n1\n")
    with pytest.raises(DataError, match=r"no file or folder .*house\.csv; did you mean .*houses\.csv"):
        kind_of(str(tmp_path / "house.csv"))
    with pytest.raises(DataError, match="did you mean digits"):
        kind_of("digit")
    with pytest.raises(DataError, match=r"there is no folder .*nowhere either"):
        kind_of(str(tmp_path / "nowhere" / "a.csv"))


def test_a_single_image_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"")
    with pytest.raises(DataError, match="single image: expected a folder"):
        kind_of(str(tmp_path / "cat.png"))


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="--separator is for tables, and means nothing for the digits"):
        check_fits("digits", TableOptions(delimiter=";"), ImageOptions(), "")
    with pytest.raises(
        ConfigurationError, match="--image-size is for folders of images, and means nothing for a table"
    ):
        check_fits("table", TableOptions(), ImageOptions(size=8), "price")
    with pytest.raises(ConfigurationError, match="--target is for tables; a folder of images has its classes"):
        check_fits("images", TableOptions(), ImageOptions(), "price")
    check_fits("table", TableOptions(delimiter=";"), ImageOptions(), "price")


def test_a_source_survives_json() -> None:
    table = TableOptions(numbers=("a",), dates={"d": None, "e": "%d.%m.%Y"}, missing=("-999",), delimiter="\t")
    source = Source("table", "/data/houses.csv", "price", 0.2, "", 0.1, table)
    assert Source.from_dict(json.loads(json.dumps(source.to_dict()))) == source
    assert source.name == "houses" and Source("digits").name == "digits"


def test_a_damaged_source_is_told() -> None:
    with pytest.raises(CheckpointError, match="damaged"):
        Source.from_dict({"kind": "table"})
