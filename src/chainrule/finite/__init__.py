"""Where NaN and infinity come from: the operation, its operands, the user's line, the example, and a file to replay."""

from .eager import check_finite
from .replay import replay
from .trail import Birth, Trail, follow

__all__ = ["Birth", "Trail", "check_finite", "follow", "replay"]
