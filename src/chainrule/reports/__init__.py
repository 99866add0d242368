"""Readers of graphs, recorded values and run directories."""
