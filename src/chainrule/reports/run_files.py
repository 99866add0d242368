"""What recorders keep in a run directory beside its checkpoint, and how to read it back.

credit.safetensors   written by CreditRecorder at each checkpoint, whole or not at all. Arrays:
                       weights/NAME  credit of each weight of a tensor      epochs/NAME  the same for each epoch
                       steps/FIELD   the fields of CreditSteps              samples, sample_rows
                     The header's texts: `format`, and `about`, JSON with the other fields of Credit.
flow.csv             written by FlowRecorder at each checkpoint: a row a layer a step, the fields of FlowRow as columns;
                     an empty cell is None. Findings are not kept: they follow from the rows.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..files import write_text
from ..interop.safetensors import load_file, read_metadata, save_file
from .credit_record import Credit, CreditSteps
from .flow_record import FlowRow

CREDIT_FILE = "credit.safetensors"
CREDIT_FORMAT = "chainrule credit 1"
FLOW_FILE = "flow.csv"

Folder = str | os.PathLike[str]


def write_credit(folder: Folder, credit: Credit) -> None:
    """Keep a credit in a run directory, atomically."""
    arrays: dict[str, Any] = {f"weights/{name}": each for name, each in credit.weights.items()}
    arrays |= {f"epochs/{name}": each for name, each in credit.by_epoch.items()}
    arrays |= {f"steps/{each.name}": getattr(credit.steps, each.name) for each in fields(CreditSteps)}
    arrays["sample_rows"] = credit.sample_rows
    if credit.samples is not None:
        arrays["samples"] = credit.samples
    about = {name: getattr(credit, name) for name in ABOUT}
    save_file(arrays, Path(folder) / CREDIT_FILE, {"format": CREDIT_FORMAT, "about": json.dumps(about)})


ABOUT = ("names", "trained", "layers", "kinds", "probe_size", "tolerance", "gradient_cost", "classes")
TUPLES = ("names", "trained", "layers", "kinds", "classes")


def read_credit(folder: Folder) -> Credit | None:
    """The credit kept in a run directory; None where none was recorded. Raises CheckpointError where it is damaged."""
    path = Path(folder) / CREDIT_FILE
    if not path.exists():
        return None
    arrays, texts = load_file(path), read_metadata(path)
    if texts.get("format") != CREDIT_FORMAT:
        raise CheckpointError(f"{path} is no credit of this version: its format is {texts.get('format')!r}")
    about: dict[str, Any] = {
        name: tuple(each) if name in TUPLES else each for name, each in json.loads(texts["about"]).items()
    }
    return Credit(
        **about,
        weights=_below(arrays, "weights/"),
        by_epoch=_below(arrays, "epochs/"),
        steps=CreditSteps(**_below(arrays, "steps/")),
        sample_rows=arrays["sample_rows"],
        samples=arrays.get("samples"),
    )


def _below(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)}


def write_flow(folder: Folder, rows: Sequence[FlowRow]) -> None:
    """Keep the rows of a gradient flow in a run directory, atomically; numbers keep their bits."""
    import csv

    text = io.StringIO()
    names = [each.name for each in fields(FlowRow)]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    write_text(Path(folder) / FLOW_FILE, text.getvalue())


def _cell(value: Any) -> Any:
    return "" if value is None else repr(value) if isinstance(value, float) else value


def read_flow_rows(folder: Folder) -> tuple[FlowRow, ...] | None:
    """The rows kept in a run directory; None where none were recorded."""
    import csv

    path = Path(folder) / FLOW_FILE
    if not path.exists():
        return None
    kinds = {each.name: str(each.type) for each in fields(FlowRow)}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(
                FlowRow(**{name: _parsed(kinds[name], cell) for name, cell in row.items()})
                for row in csv.DictReader(file)
            )
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path} is damaged: {error!r}") from error


def _parsed(kind: str, cell: str) -> Any:
    if cell == "" and kind != "str":
        return None
    return cell if kind == "str" else int(cell) if kind.startswith("int") else float(cell)
