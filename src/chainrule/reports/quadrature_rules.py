"""Gauss-Lobatto quadrature with 3 nodes (Simpson) and with 5: weights for a piece of length 1."""

from __future__ import annotations

THREE = (1 / 6, 4 / 6, 1 / 6)
FIVE = (1 / 20, 49 / 180, 32 / 90, 49 / 180, 1 / 20)
INNER = (3 / 7) ** 0.5 / 2
"""How far the inner nodes of the rule of five lie from the middle, in lengths of the piece."""
GAIN = 0.1
"""Where five nodes leave less than this share of what three leave, the path is smooth."""
