"""Drawings of small images, against ones made by hand."""

from __future__ import annotations

import numpy as np

from chainrule.cli.drawing import beside, drawn


def test_two_pixels_are_one_character() -> None:
    image = np.array([[0, 255, 255], [0, 0, 255], [255, 0, 0], [0, 0, 0]], np.uint8)
    assert drawn(image, margin=0) == [" ▀█", "▀  "]


def test_an_odd_number_of_rows_gets_an_empty_one() -> None:
    assert drawn(np.array([[0.0, 1.0]]), margin=0) == [" ▀"]


def test_the_margin_is_left_out() -> None:
    image = np.zeros((28, 28))
    image[4, 4] = 1
    lines = drawn(image)
    assert (len(lines), len(lines[0]), lines[0][0]) == (10, 20, "▀")


def test_pictures_stand_side_by_side_over_their_captions() -> None:
    assert beside([["██", "█ "], ["▀▀", " ▀"]], ["a", "b"], gap=1) == ["██ ▀▀", "█   ▀", "a  b"]
