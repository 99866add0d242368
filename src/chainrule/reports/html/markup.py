"""HTML and SVG as text: elements whose attributes and contents are escaped, so that no name can break a page."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any

EMPTY = frozenset(["area", "br", "hr", "img", "input", "link", "meta", "line", "rect", "circle", "path", "polyline"])
"""Elements without contents."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = Any
"""Markup as it is, any other text escaped, None left out, or an iterable of these."""


def element(name: str, /, *contents: Content, **attributes: Any) -> Markup:
    """`<name attribute="...">contents</name>`.

    An attribute that is None or False is left out, one that is True has no value; `class_` is class, and other
    underscores are hyphens.

    >>> element("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in EMPTY and not contents:
        return Markup(f"<{name}{head}/>")
    return Markup(f"<{name}{head}>{joined(contents)}</{name}>")


def joined(contents: Iterable[Content]) -> Markup:
    """Contents one after the other."""
    return Markup("".join(_text(each) for each in contents))


def _text(content: Content) -> str:
    if content is None:
        return ""
    if isinstance(content, Markup):
        return str(content)
    if isinstance(content, str | int | float):
        return html.escape(str(content), quote=False)
    return joined(content)


def _attribute(key: str, value: Any) -> str:
    if value is None or value is False:
        return ""
    known = key.rstrip("_").replace("_", "-")
    return f" {known}" if value is True else f' {known}="{html.escape(str(value))}"'


def json_script(data: Any, **attributes: Any) -> Markup:
    """Data for a script of the page: JSON that holds nothing that could end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return element("script", Markup(safe), type="application/json", **attributes)


def table(heads: Iterable[Content], rows: Iterable[Iterable[Content]], caption: str = "", class_: str = "") -> Markup:
    """A table whose first column names the rows."""
    head = element("tr", (element("th", each, scope="col") for each in heads))
    body = (element("tr", _cells(row)) for row in rows)
    title = element("caption", caption) if caption else None
    made = element("table", title, element("thead", head), element("tbody", body), class_=class_ or None)
    return element("div", made, class_="scrolls", tabindex=0, role="region", aria_label=caption or "table")


def _cells(row: Iterable[Content]) -> Iterable[Markup]:
    for place, content in enumerate(row):
        yield element("td", content) if place else element("th", content, scope="row")
