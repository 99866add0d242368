"""Reports: readers of graphs, recorded values and run directories. Turning one on changes no bit of a training."""

from .graph import ProgramGraph, graph
from .page import Page, page

__all__ = ["Page", "ProgramGraph", "graph", "page"]
