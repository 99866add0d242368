"""The classifier of mlp_b64 with batches of 1024."""

from __future__ import annotations

from .mlp_b64 import Mlp

WORKLOAD = Mlp("mlp_b1024", 1024, 8, (2.632881, 2.64126, 2.4703, 2.132335, 1.853222))
