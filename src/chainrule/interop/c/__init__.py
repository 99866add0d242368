"""C: training steps and networks as an object file with a header, for devices without Python."""

from .export import export, load_state

__all__ = ["export", "load_state"]
