"""Help that teaches: every command, every option; and what `--version` says."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import click
import pytest
from click.testing import Result

import chainrule
from chainrule.cli.main import chainrule as root

Run = Callable[..., Result]
COMMANDS = ["train", "evaluate", "predict", "check", "export"]


def test_the_tour_shows_a_first_command_and_all_commands_in_the_order_of_use(run: Run) -> None:
    text = run("--help").stdout
    assert "chainrule train digits" in text
    listed = text[text.index("Commands:") :].split()[1:]
    assert [word for word in listed if word in COMMANDS and listed.count(word) == 1] == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_and_explains_every_option(run: Run, name: str) -> None:
    text = run(name, "--help").stdout
    assert "Examples:" in text
    assert all(len(line) <= 80 for line in text.splitlines())
    options = [each for each in root.commands[name].params if isinstance(each, click.Option)]
    for option in options:
        assert option.help, option.name
        assert max(option.opts, key=len) in text


def test_limits_are_not_shown_as_formulas(run: Run) -> None:
    assert "x<" not in run("train", "--help").stdout and "x>" not in run("train", "--help").stdout


def test_version(run: Run) -> None:
    assert run("--version").stdout == f"chainrule {chainrule.__version__}\n"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "chainrule", "-V"], capture_output=True, text=True, check=True)
    assert done.stdout == f"chainrule {chainrule.__version__}\n"


def test_the_command_line_is_not_imported_with_the_package() -> None:
    code = "import sys, chainrule; print([name for name in ('click', 'rich', 'chainrule.cli') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
