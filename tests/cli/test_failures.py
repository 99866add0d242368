"""Errors as the command line tells them."""

from __future__ import annotations

import errno

import pytest

from chainrule.cli.failures import Failure, in_command_words, told_plainly
from chainrule.errors import DataError, ShapeError


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("say decimal=','; if it marks", "say --decimal ,; if it marks"),
        ("say missing=['n.a.', 'not known']", 'say --missing n.a. --missing "not known"'),
        ("by drop_missing_labels=True", "by --drop-missing-labels"),
        ("say dates={'sold': '%d %B %Y'}", 'say --dates "sold=%d %B %Y"'),
        ("such as encoding='latin-1'", "such as --encoding latin-1"),
        (
            "say categories=['zip']; or leave it out by ignore=['zip'].",
            "say --categories zip; or leave it out by --ignore zip.",
        ),
        ("or more, and memory_limit is 1 KiB", "or more, and --memory-limit is 1 KiB"),
        ("clip_norm is a number; leave batch_size out", "--clip-norm is a number; leave --batch-size out"),
        ("column 'batch_size': a missing my_batch_size", "column 'batch_size': a missing my_batch_size"),
        ("a column named batches=4 stays", "a column named batches=4 stays"),
    ],
)
def test_arguments_of_functions_become_options(message: str, told: str) -> None:
    assert in_command_words(message) == told


def test_errors_of_this_package_become_one_message() -> None:
    with pytest.raises(Failure) as caught, told_plainly():
        raise DataError("houses.csv is empty")
    assert (caught.value.message, caught.value.exit_code) == ("houses.csv is empty", 2)


def test_the_line_of_a_users_program_is_left_out_since_there_is_none() -> None:
    with pytest.raises(Failure) as caught, told_plainly():
        raise ShapeError("shapes (2, 3) and (4,) don't fit")
    assert caught.value.message == "shapes (2, 3) and (4,) don't fit"


def test_a_full_disk_names_the_file_and_the_way_on() -> None:
    with pytest.raises(Failure, match=r"weights\.safetensors: No space left.*--resume"), told_plainly():
        raise OSError(errno.ENOSPC, "No space left on device", "weights.safetensors")


def test_a_reader_that_went_away_is_no_failure() -> None:
    with pytest.raises(BrokenPipeError), told_plainly():
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


def test_mistakes_of_the_program_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), told_plainly():
        raise ZeroDivisionError
