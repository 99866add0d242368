"""Networks as scikit-learn estimators: for pipelines, grid searches, cross-validation, `partial_fit`.

Needs scikit-learn: pip install 'chainrule[sklearn]'. Nothing here is loaded before it is asked for.
"""

from ...errors import missing_dependency

try:
    import sklearn  # noqa: F401
except ImportError as error:
    raise missing_dependency("scikit-learn", "NetworkClassifier and NetworkRegressor", "sklearn") from error

from .classifier import NetworkClassifier
from .regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
