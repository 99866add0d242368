"""Training: `fit` and its pieces, from one step of backpropagation to a run that can be resumed."""

from .checkpoint import load as load_checkpoint
from .checkpoint import save as save_checkpoint
from .early_stopping import EarlyStopping
from .evaluate import evaluate, predict
from .fit import fit
from .history import History
from .loop import Loop
from .metrics import METRICS, Metric
from .modes import MODES
from .recording import QuietRecorder, Recorded, Recorder
from .run_directory import RunDirectory
from .state import TrainingState
from .step import LOSSES, TrainingStep, as_loss
from .validate import as_pair

__all__ = [
    "LOSSES",
    "METRICS",
    "MODES",
    "EarlyStopping",
    "History",
    "Loop",
    "Metric",
    "QuietRecorder",
    "Recorded",
    "Recorder",
    "RunDirectory",
    "TrainingState",
    "TrainingStep",
    "as_loss",
    "as_pair",
    "evaluate",
    "fit",
    "load_checkpoint",
    "predict",
    "save_checkpoint",
]
