"""Explanations of a training, a prediction, a network: how much each weight contributed to the error."""

from .reports.credit import credit
from .reports.credit_record import Credit, CreditSteps
from .reports.credit_recorder import CreditRecorder
from .reports.flow import flow, read_flow
from .reports.flow_record import Flow, FlowFinding, FlowRow
from .reports.flow_recorder import FlowRecorder
from .reports.graph import ProgramGraph, graph
from .reports.run_files import read_credit
from .reports.sample import sample
from .reports.sample_record import LayerPath, SampleExplanation, WeightChange

__all__ = [
    "Credit",
    "CreditRecorder",
    "CreditSteps",
    "Flow",
    "FlowFinding",
    "FlowRecorder",
    "FlowRow",
    "LayerPath",
    "ProgramGraph",
    "SampleExplanation",
    "WeightChange",
    "credit",
    "flow",
    "graph",
    "read_credit",
    "read_flow",
    "sample",
]
