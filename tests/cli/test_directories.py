"""Where runs are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from chainrule.cli.directories import check_free, make
from chainrule.errors import ConfigurationError


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_run_gets_the_next_free_number() -> None:
    assert [str(make(None, "digits")) for _ in range(3)] == ["runs/digits-1", "runs/digits-2", "runs/digits-3"]


def test_a_name_becomes_one_a_file_system_takes() -> None:
    assert make(None, "my photos/of: cats").name == "my-photos-of-cats-1"
    assert make(None, "...").name == "run-1"


def test_a_directory_in_use_is_refused() -> None:
    taken = Path("mine")
    assert make(taken, "x") == make(taken, "x")  # made, and still empty
    (taken / "command.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"mine is not empty: .* --resume mine"):
        check_free(taken)
    with pytest.raises(ConfigurationError, match="is a file"):
        check_free(taken / "command.json")
