"""A run directory: everything needed to go on, evaluate, predict.

config.json              what was asked for
checkpoint.safetensors   weights, moments, step, epoch, data position, random state, figures so far
model.safetensors        the weights alone, for use elsewhere (the best ones, when the run is over)
metrics.csv              one row an epoch
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import CheckpointError, ConfigurationError
from ..files import read_json, remove_leftovers, write_json, write_text
from ..interop.safetensors import load_file, save_file
from ..ir.types import NumpyArray
from . import checkpoint
from .history import History


class RunDirectory:
    """The files of one run."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config_file = self.path / "config.json"
        self.checkpoint_file = self.path / "checkpoint.safetensors"
        self.model_file = self.path / "model.safetensors"
        self.metrics_file = self.path / "metrics.csv"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to resume."""
        return self.checkpoint_file.exists()

    def start(self, config: Mapping[str, Any]) -> None:
        """A new run: refuses a directory that already holds one."""
        if self.has_checkpoint:
            raise CheckpointError(
                f"{self.path} already holds a run: pass resume=True to go on with it, or name another run_directory"
            )
        try:
            write_json(self.config_file, dict(config))
        except (TypeError, ValueError) as error:
            raise ConfigurationError(
                f"config holds what can't be kept as JSON: {error}; give texts, numbers, lists and dicts"
            ) from error

    def config(self) -> dict[str, Any]:
        """What was asked for; raises CheckpointError where this is no run directory."""
        if not self.path.is_dir():
            raise CheckpointError(f"there is no run directory {self.path}")
        if not self.config_file.exists():
            raise CheckpointError(f"{self.path} is no run directory: it has no {self.config_file.name}")
        config = read_json(self.config_file)
        if not isinstance(config, dict):
            raise CheckpointError(f"{self.config_file} does not hold a table of settings")
        return config

    def save(self, state: Any) -> None:
        """Write a checkpoint over the one before."""
        checkpoint.save(self.checkpoint_file, state)

    def load(self) -> Any:
        """The last checkpoint; leftovers of a killed process are removed."""
        if not self.has_checkpoint:
            raise CheckpointError(f"{self.path} holds no checkpoint to resume from")
        remove_leftovers(self.path)
        return checkpoint.load(self.checkpoint_file)

    def save_model(self, state: Mapping[str, NumpyArray]) -> None:
        """Write the weights alone."""
        save_file(state, self.model_file)

    def load_model(self) -> dict[str, NumpyArray]:
        """The weights alone, for `model.load_state_dict`."""
        return load_file(self.model_file)

    def save_history(self, history: History) -> None:
        """Write the figures of all epochs."""
        write_text(self.metrics_file, history.to_csv())
