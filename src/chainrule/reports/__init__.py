"""Reports: readers of graphs, recorded values and run directories. Turning one on changes no bit of a training."""

from . import sample_text as sample_text  # it gives explanations their text form
from .graph import ProgramGraph, graph
from .page import Page, page

__all__ = ["Page", "ProgramGraph", "graph", "page"]
