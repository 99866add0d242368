"""A playground that a page talks to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..errors import ConfigurationError
from .html.numbers import plain
from .html.png import address, diverging
from .playground import EDGE, Choice, Playground


class Session:
    """A playground that a page talks to: one thing at a time."""

    def __init__(self, choice: Choice | None = None) -> None:
        self.playground = Playground(choice)
        self._lock = threading.Lock()

    def act(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Do what a page asks for, and give all that there is to see then."""
        with self._lock:
            self._do(str(asked.get("do", "")), asked)
            return self.state()

    def _do(self, action: str, asked: Mapping[str, Any]) -> None:
        if action == "restart":
            self.playground = Playground(_choice(asked["choice"]))
        elif action in ("update", "undo"):
            getattr(self.playground, action)()
        elif action == "train":
            self.playground.train(int(asked["sweeps"]))
        elif action == "example":
            self.playground.look_at(int(asked["example"]))
        elif action == "rate":
            self.playground.set_rate(float(asked["rate"]))
        elif action != "look":
            raise ConfigurationError(f"there is no action {action!r}")

    def state(self) -> dict[str, Any]:
        """For a page: the choice, the cycle, the errors so far, the plane."""
        here = self.playground
        cycle = here.cycle()
        shown = {
            "choice": asdict(here.choice),
            "title": here.data.title,
            "example": here.example,
            "updates": here.updates,
            "can_undo": bool(here._before),
            "points": [*here.data.inputs.tolist()],
            "targets": here.data.targets[:, 0],
            "surface": address(diverging(here.surface() - 0.5, 0.5)),
            "edge": EDGE,
            "errors": here.errors,
            "cycle": {**vars(cycle), "layers": [vars(layer) for layer in cycle.layers]},
        }
        found: dict[str, Any] = plain(shown)
        return found


def _choice(given: Mapping[str, Any]) -> Choice:
    return Choice(
        str(given["problem"]),
        tuple(int(units) for units in given["hidden"]),
        str(given["activation"]),
        float(given["rate"]),
        int(given["seed"]),
    )
