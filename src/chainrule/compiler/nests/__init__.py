"""Fused loop nests: elementwise chains with their reductions."""
