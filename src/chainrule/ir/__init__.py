"""The one graph IR: typed SSA equations. It knows no operation and no machine."""

from . import show as show  # it gives graphs their text form
