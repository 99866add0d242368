"""The shell around sections: one HTML file that needs nothing else, or the same inside a notebook."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ...errors import DataError
from .markup import Markup, element, json_script
from .numbers import plain

ALLOWED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
"""Nothing is ever loaded from elsewhere, and the browser holds the page to it; a live page asks its own server."""
NOTEBOOK_HEIGHT = 420
ASSETS = os.path.join(os.path.dirname(__file__), "assets")


@dataclass(frozen=True)
class Section:
    """One part of a page. scripts: names of the assets that make it move, in the order they are needed."""

    name: str
    title: str
    body: Markup
    scripts: tuple[str, ...] = ()
    lead: str = ""

    def markup(self) -> Markup:
        """The section as HTML."""
        lead = element("p", self.lead, class_="lead") if self.lead else None
        return element("section", element("h2", self.title), lead, self.body, id=self.name, data_title=self.title)


@dataclass(frozen=True)
class Document:
    """A whole page. live: what a page that is served while something goes on is told about its server."""

    title: str
    sections: Sequence[Section]
    subtitle: str = ""
    live: dict[str, Any] | None = None
    scripts: tuple[str, ...] = field(default=())

    def text(self) -> str:
        """The file."""
        names = [*self.scripts, *(name for section in self.sections for name in section.scripts)]
        names += ["live.js"] if self.live is not None else []
        wanted = ["page.js", *dict.fromkeys(names)]
        body = [
            element("header", element("h1", self.title), element("p", self.subtitle, id="subtitle")),
            self._menu(),
            element("main", (section.markup() for section in self.sections), id="main"),
            None if self.live is None else json_script(plain(self.live), id="live"),
            *(element("script", Markup(asset(name))) for name in wanted),
        ]
        return f"<!doctype html>\n{element('html', self._head(), element('body', body), lang='en')}\n"

    def _head(self) -> Markup:
        parts = [
            Markup('<meta charset="utf-8">'),
            element("meta", http_equiv="Content-Security-Policy", content=ALLOWED),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("title", self.title),
            element("style", Markup(asset("page.css"))),
        ]
        return element("head", parts)

    def _menu(self) -> Markup | None:
        links = [element("a", section.title, href=f"#{section.name}") for section in self.sections]
        return element("nav", links, aria_label="Sections", id="menu") if len(links) > 1 or self.live else None


def inline(sections: Sequence[Section], title: str) -> str:
    """Sections as a notebook shows them below a cell: a frame of their own, so that styles don't mix."""
    whole = Document(title, sections).text().replace("<body>", '<body class="inline">')
    return (
        f'<iframe title="{html.escape(title)}" srcdoc="{html.escape(whole)}" '
        f'style="width:100%;height:{NOTEBOOK_HEIGHT}px;border:0" loading="lazy"></iframe>'
    )


@cache
def asset(name: str) -> str:
    """The text of a style sheet or script that comes with the package."""
    try:
        with open(os.path.join(ASSETS, name), encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise DataError(f"the file {name} of the package is missing, install it again: {error}") from error
