"""What made the run, so that it can be made again."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..html.document import Section
from ..html.markup import Markup, element, table
from ..html.numbers import plain

LONGEST = 2000


def configuration_section(config: Mapping[str, Any], command: str = "", version: str = "") -> Section:
    """The command to repeat it, the settings as a table, the versions."""
    rows: list[tuple[str, str | Markup]] = [(name, element("code", text)) for name, text in _flat(config)]
    made = {"Python": platform.python_version(), "NumPy": np.__version__, "machine": platform.machine()}
    rows += [(name, text) for name, text in ({"Chainrule": version} | made).items() if text]
    again = element("div", element("h3", "To repeat it"), element("pre", command)) if command else None
    whole = element("details", element("summary", "All of it as JSON"), element("pre", _json(config)))
    body = element("div", again, element("div", table(("setting", "value"), rows), class_="words"), whole)
    return Section("configuration", "How it was made", body)


def _flat(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str | Markup]]:
    found: list[tuple[str, str | Markup]] = []
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{prefix}{name}.")
        elif not _is_empty(value):
            text = value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False)
            found.append((f"{prefix}{name}", text if len(text) <= 200 else text[:200] + " …"))
    return found


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | tuple | dict) and not value)


def _json(config: Mapping[str, Any]) -> str:
    return json.dumps(plain(config), indent=1, ensure_ascii=False)
