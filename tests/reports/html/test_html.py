"""What pages are made of: what it holds is what it was given, to the last bit."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from chainrule.reports.html.charts import Series, bars, histogram, line_chart, scatter
from chainrule.reports.html.maps import as_maps, maps_figure
from chainrule.reports.html.markup import Markup, element, json_script
from chainrule.reports.html.numbers import packed, plain, show, unpacked
from chainrule.reports.html.png import diverging, png

from .reading import check, data_of


def test_elements_escape_what_they_are_given():
    made = element("p", "a<b", Markup("<b>x</b>"), None, 3, class_="q", data_x='"&', hidden=True, title=None)
    assert made == '<p class="q" data-x="&quot;&amp;" hidden>a&lt;b<b>x</b>3</p>'


def test_data_can_not_end_its_script():
    text = json_script({"a": "</script><script>alert(1)</script>\u2028"})
    assert text.count("</script>") == 1
    assert data_of(text) == [{"a": "</script><script>alert(1)</script>\u2028"}]


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_packed_arrays_keep_their_bits(kind):
    array = (np.random.default_rng(1).normal(size=(3, 5)) * 100).astype(kind)
    again = unpacked(packed(array))
    assert again.dtype == array.dtype and again.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.1, "0.1"),
        (-1234.5678, "-1234.57"),
        (1e-5, "1e-5"),
        (1.5e300, "1.5e300"),
        (123456789.0, "1.23457e8"),
        (float("nan"), "NaN"),
        (float("inf"), "∞"),
        (float("-inf"), "−∞"),
        (999999.96, "1000000"),
    ],
)
def test_numbers_have_six_digits(number, text):
    assert show(number) == text
    if np.isfinite(number):
        assert abs(float(text) - number) <= 5.01e-6 * abs(number)


def test_what_is_not_finite_becomes_nothing():
    assert plain({"a": [np.float32(1.5), float("nan"), np.arange(2)]}) == {"a": [1.5, None, [0, 1]]}


def test_a_picture_is_a_png_of_the_pixels():
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 4), dtype=np.uint8)
    file = png(pixels)
    assert file[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", file[16:24]) == (7, 5)
    length = struct.unpack(">I", file[33:37])[0]
    assert zlib.crc32(file[37 : 41 + length]) == struct.unpack(">I", file[41 + length : 45 + length])[0]
    lines = np.frombuffer(zlib.decompress(file[41 : 41 + length]), np.uint8).reshape(5, 29)
    assert np.array_equal(lines[:, 1:].reshape(5, 7, 4), pixels)


def test_colours_tell_the_sign_and_the_size():
    pixels = diverging(np.array([[-2.0, 0.0, 1.0, 9.0]]), 2.0)
    assert pixels[0, :, 3].tolist() == [255, 0, 128, 255]
    assert pixels[0, 0, :3].tolist() == [0, 114, 178] and pixels[0, 2, :3].tolist() == [213, 94, 0]


def test_a_curve_holds_its_numbers_and_its_gaps():
    ys = [0.30000000000000004, None, 3e-9, float("nan")]
    chart = line_chart("Loss", [1, 2, 3, 4], [Series("a", ys), Series("b", [1.0, 2.0, 3.0, 4.0])])
    data = data_of(chart)[0]
    assert data["series"][0] == [0.30000000000000004, None, 3e-9, None] and data["x"] == [1, 2, 3, 4]
    assert chart.count("<path") == 2 and 'd="M' in chart
    check(chart)


@pytest.mark.parametrize("ys", [[1.0], [2.0, 2.0], [0.0, 0.0], [1e-30, 1e30], [-5.0, 5.0], [None, None], []])
def test_odd_curves_are_drawn(ys):
    for logarithmic in (False, True):
        check(line_chart("x", list(range(len(ys))), [Series("y", ys)], logarithmic=logarithmic))


def test_bars_scatter_histogram():
    check(bars("a", ["x", "y"], [1.0, -2.0]) + bars("b", [], []) + bars("c", ["z"], [float("nan")]))
    chart = scatter("s", [1.0, 2.0], [3.0, 4.0], "a", "b") + histogram("h", [0.0, 1.0, 2.0], [3, 5], "e")
    check(chart)
    assert data_of(chart) == [{"x": [1.0, 2.0], "y": [3.0, 4.0]}, {"edges": [0, 1, 2], "counts": [3, 5]}]


def test_maps_of_weights_that_see_an_image():
    weights = np.arange(48.0).reshape(3, 16)
    maps, names = as_maps("w", weights, (1, 4, 4))
    assert maps.shape == (3, 4, 4) and names == ["0", "1", "2"]
    assert np.array_equal(maps[1], weights[1].reshape(4, 4))
    maps, names = as_maps("w", np.arange(150.0).reshape(2, 3, 5, 5), None)
    assert maps.shape == (6, 5, 5) and names[4] == "1←1"
    assert as_maps("w", weights, None)[0].shape == (1, 3, 16)
    assert as_maps("b", np.arange(3.0), None)[0].shape == (1, 1, 3)


def test_the_strongest_of_many_maps_are_shown_and_it_says_so():
    maps = np.zeros((100, 2, 2))
    maps[70:] = 1.0
    figure = maps_figure("w", {"credit": maps}, [str(n) for n in range(100)])
    data = data_of(figure)[0]
    assert (
        set(range(70, 100)) <= set(data["numbers"]) and len(data["numbers"]) == 64 and "64 with the largest" in figure
    )
    assert unpacked(data["arrays"]["credit"]).sum() == 120
