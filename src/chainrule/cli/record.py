"""What the command line keeps in a run directory beside the checkpoint: all that made the run, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..data import ImageEncoder, TableEncoder
from ..errors import CheckpointError
from ..files import read_json, write_json
from .baseline import Baseline
from .networks import NetworkSpec
from .problem import Encoder
from .settings import Settings
from .source import Source

FILE = "command.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class Record:
    """A run's data, network and settings, the preprocessing fitted to the data, and the data's fingerprint."""

    source: Source
    settings: Settings
    network: NetworkSpec
    encoder: Encoder
    baseline: Baseline
    fingerprint: str

    def write(self, run: Path) -> None:
        """Put it into the run directory, whole or not at all."""
        state = {
            "format": FORMAT,
            "chainrule": __version__,
            "source": self.source.to_dict(),
            "settings": self.settings.to_dict(),
            "network": self.network.to_dict(),
            "encoder": self.encoder.to_dict(),
            "baseline": self.baseline.to_dict(),
            "fingerprint": self.fingerprint,
        }
        write_json(run / FILE, state)

    @classmethod
    def read(cls, run: Path) -> Record:
        """From a run directory; raises CheckpointError where there is none or it is damaged."""
        state = _read(run)
        try:
            source = Source.from_dict(state["source"])
            encoder: Encoder = (TableEncoder if source.kind == "table" else ImageEncoder).from_dict(state["encoder"])
            return cls(
                source,
                Settings.from_dict(state["settings"]),
                NetworkSpec.from_dict(state["network"]),
                encoder,
                Baseline.from_dict(state["baseline"]),
                state["fingerprint"],
            )
        except KeyError as error:
            raise CheckpointError(f"{run / FILE} is damaged: it lacks {error}") from error
        except CheckpointError as error:
            raise CheckpointError(f"{run / FILE}: {error}") from error


def _read(run: Path) -> dict[str, Any]:
    if not run.is_dir():
        raise CheckpointError(f"there is no run directory {run}{_other_runs(run)}")
    if not (run / FILE).is_file():
        raise CheckpointError(
            f"{run} is not a run of the command line: it has no {FILE}. `chainrule train SOURCE` makes one"
        )
    state = read_json(run / FILE)
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(
            f"{run / FILE} is of another format than this version ({__version__}) reads; "
            "use the version of chainrule that made the run, or train again"
        )
    return state


def _other_runs(run: Path) -> str:
    if not run.parent.is_dir():
        return ""
    others = sorted(str(path.parent) for path in run.parent.glob(f"*/{FILE}"))
    shown = ", ".join(others[:6]) + (", ..." if len(others) > 6 else "")
    return f"; there are the runs {shown}" if others else ""
