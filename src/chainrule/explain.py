"""Explanations of a training, a prediction, a network: how much each weight contributed to the error."""

from .reports.credit_record import Credit, CreditSteps
from .reports.flow_record import Flow, FlowFinding, FlowRow
from .reports.graph import ProgramGraph, graph
from .reports.run_files import read_credit
from .reports.sample_record import LayerPath, SampleExplanation, WeightChange

__all__ = [
    "Credit",
    "CreditSteps",
    "Flow",
    "FlowFinding",
    "FlowRow",
    "LayerPath",
    "ProgramGraph",
    "SampleExplanation",
    "WeightChange",
    "graph",
    "read_credit",
]
