"""Explanations of a training, a prediction, a network: how much each weight contributed to the error."""

from .reports.credit_record import Credit, CreditSteps
from .reports.flow_record import Flow, FlowFinding, FlowRow
from .reports.graph_record import ArrayStatistics, GraphModule, GraphNode, GraphView
from .reports.run_files import read_credit
from .reports.sample_record import LayerPath, SampleExplanation, WeightChange

__all__ = [
    "ArrayStatistics",
    "Credit",
    "CreditSteps",
    "Flow",
    "FlowFinding",
    "FlowRow",
    "GraphModule",
    "GraphNode",
    "GraphView",
    "LayerPath",
    "SampleExplanation",
    "WeightChange",
    "read_credit",
]
