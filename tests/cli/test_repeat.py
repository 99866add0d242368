"""The command that repeats a run makes the same run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from chainrule.cli.record import Record
from chainrule.cli.repeat import command_of


@pytest.mark.parametrize(
    "options",
    [
        ("--epochs", "2"),
        ("--epochs", "1", "--hidden", "5,4", "--dropout", "0.2", "--seed", "3", "--optimizer", "sgd", "--lr", "0.01"),
        (
            "--epochs",
            "2",
            "--network",
            "linear",
            "--mode",
            "batch",
            "--schedule",
            "constant",
            "--test",
            "0.3",
            "--precision",
            "bfloat16",
        ),
        ("--epochs", "2", "--ignore", "id", "--categories", "district", "--clip-norm", "1", "--patience", "5"),
        ("--epochs", "2", "--memory-limit", "1.5 MB"),
        ("--epochs", "2", "--checkpoint-every", "7", "--weight-decay", "0.01", "--validation", "0.25"),
    ],
)
def test_it_makes_the_same_record_and_weights(run, houses, options):
    assert run("train", houses, "--target", "price", *options).exit_code == 0
    first = Record.read(Path("runs/houses-1"))
    words = shlex.split(command_of(first))
    assert words[:2] == ["chainrule", "train"]
    assert run(*words[1:]).exit_code == 0
    again = Record.read(Path("runs/houses-2"))
    assert (again.source, again.settings, again.network) == (first.source, first.settings, first.network)
    models = [Path(f"runs/houses-{number}/model.safetensors").read_bytes() for number in (1, 2)]
    assert models[0] == models[1]


def test_images(run, photos):
    assert run("train", photos, "--epochs", "1", "--gray", "--image-size", "12", "--shift", "2").exit_code == 0
    words = shlex.split(command_of(Record.read(Path("runs/photos-1"))))
    assert run(*words[1:]).exit_code == 0
    first, again = (Record.read(Path(f"runs/photos-{number}")) for number in (1, 2))
    assert (again.source, again.settings, again.network) == (first.source, first.settings, first.network)


def test_class_weights_and_gathered_batches(run):
    rows = ["size,kind"] + [f"{n % 7},{'rare' if n % 7 == 0 else 'common'}" for n in range(140)]
    Path("kinds.csv").write_text("\n".join(rows))
    words = ("train", "kinds.csv", "--target", "kind", "--epochs", "2", "--accumulate", "2")
    assert run(*words, "--class-weight", "common=1,rare=6").exit_code == 0
    first = Record.read(Path("runs/kinds-1"))
    assert run(*shlex.split(command_of(first))[1:]).exit_code == 0
    models = [Path(f"runs/kinds-{number}/model.safetensors").read_bytes() for number in (1, 2)]
    assert models[0] == models[1]
    for wrong, answer in (("rar=2", "did you mean 'rare'"), ("2", "such as cat=2,dog=0.5")):
        result = run(*words, "--class-weight", wrong)
        assert result.exit_code != 0 and answer in result.output + result.stderr
