"""The one graph IR: typed SSA equations. It knows no operation and no machine."""
