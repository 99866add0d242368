"""Reading a page: whether its elements close, and the data it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "img", "br", "hr", "input", "link"}


class Checker(HTMLParser):
    """Follows the elements of a page, and notes those that are not closed, and ids that come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def check(text: str) -> None:
    checker = Checker()
    checker.feed(text)
    assert not checker.open and len(set(checker.ids)) == len(checker.ids)


def data_of(markup: str) -> list[Any]:
    return [json.loads(each) for each in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', markup)]
