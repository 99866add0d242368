"""What a training run is told: chosen by the user, or chosen for them by the kind and size of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..autocast import FLOAT32, PRECISIONS
from ..errors import CheckpointError, ConfigurationError, unknown_name
from ..sizes import bytes_of

MODES = ("mini-batch", "batch", "stochastic", "online")
OPTIMISERS = ("adam", "adamw", "nadam", "radam", "lion", "lamb", "sgd", "rmsprop", "adagrad", "lbfgs")
SCHEDULES = ("one-cycle", "cosine", "step", "plateau", "warm-up", "constant")
RATES = {
    "adam": 1e-3,
    "adamw": 1e-3,
    "nadam": 2e-3,
    "radam": 1e-3,
    "lion": 1e-4,
    "lamb": 1e-2,
    "sgd": 0.05,
    "rmsprop": 1e-3,
    "adagrad": 0.01,
    "lbfgs": 1.0,
}
MOMENTUM = 0.9


@dataclass(frozen=True)
class Settings:
    """How to learn. `patience` 0 means no early stopping; `checkpoint_every` counts weight updates, 0: each epoch."""

    epochs: int
    mode: str
    batch_size: int
    optimizer: str
    lr: float
    schedule: str
    weight_decay: float
    label_smoothing: float
    clip_norm: float
    patience: int
    seed: int
    checkpoint_every: int
    accumulate: int = 1
    class_weight: str = ""
    precision: str = FLOAT32
    memory_limit: str = ""

    def __post_init__(self) -> None:
        for name, known in (
            ("mode", MODES),
            ("optimizer", OPTIMISERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            if getattr(self, name) not in known:
                raise unknown_name(name, getattr(self, name), known)
        if self.memory_limit:
            bytes_of(self.memory_limit)  # it tells what is wrong with it
        if self.schedule == "plateau" and self.mode == "online":
            raise ConfigurationError("the schedule 'plateau' looks at whole epochs; mode 'online' makes one pass only")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Settings:
        """The inverse of `to_dict`; raises CheckpointError on anything else."""
        try:
            return cls(**state)
        except (TypeError, ConfigurationError) as error:
            raise CheckpointError(f"the saved settings are damaged: {error}") from error

    def examples_an_update(self, rows: int | None = None) -> int:
        """After how many examples the weights are updated. rows: of the data, where they are known.

        `accumulate` puts batches together; in mode batch, which has but one, it cuts that one into parts.
        """
        wanted = self.batch_size if self.mode == "batch" else self.batch_size * self.accumulate
        return max(1, wanted if rows is None else min(rows, wanted))

    def describe(self) -> str:
        """One line for people."""
        batches = {
            "mini-batch": f"batches of {self.batch_size}",
            "batch": "all examples per update",
            "stochastic": "one example per update",
            "online": "a stream, one pass",
        }[self.mode]
        rate = f"learning rate {self.lr:g}" + ("" if self.schedule == "constant" else f" ({self.schedule})")
        parts = [self.optimizer, rate, batches, f"{self.epochs} epochs" if self.epochs > 1 else "1 epoch"]
        parts += [f"{name} {value:g}" for name, value in self._extras().items() if value]
        gathered = f"in {self.accumulate} parts" if self.mode == "batch" else f"{self.accumulate} batches an update"
        parts += [gathered] if self.accumulate > 1 else []
        parts += [f"products in {self.precision}"] if self.precision != FLOAT32 else []
        parts += [f"at most {self.memory_limit} of memory"] if self.memory_limit else []
        parts += [f"class weights {self.class_weight}"] if self.class_weight else []
        return ", ".join([*parts, f"seed {self.seed}"])

    def _extras(self) -> dict[str, float]:
        return {
            "weight decay": self.weight_decay,
            "label smoothing": self.label_smoothing,
            "gradients clipped at": self.clip_norm,
            "patience": self.patience,
        }
