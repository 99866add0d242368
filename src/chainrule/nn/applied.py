"""Base of the modules that only apply one function with options."""

from __future__ import annotations

from typing import Any

from .module import Module


class Applied(Module):
    """A module without parts: `function` with options that are its attributes, so they can be read and changed."""

    function: Any

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._options = tuple(options)
        for name, option in options.items():
            setattr(self, name, option)

    @property
    def options(self) -> dict[str, Any]:
        """The options as they are now."""
        return {name: getattr(self, name) for name in self._options}

    def forward(self, *inputs: Any) -> Any:
        return type(self).function(*inputs, **self.options)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={option!r}" for name, option in self.options.items())
