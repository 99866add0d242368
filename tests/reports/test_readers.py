"""Reports are readers: a training ends with the same bits with them and without, interrupted or not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.running.entry import Entry
from chainrule.train import Recorder
from chainrule.train.recording import Recorders

Array = np.ndarray[Any, Any]
DRAW = np.random.default_rng(0)
DATA = DRAW.normal(size=(24, 1, 4, 4)).astype(np.float32), DRAW.integers(0, 3, 24)


def network() -> nn.Module:
    """With everything that a careless reader would move: batch norm, dropout."""
    cr.random.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3), nn.Linear(8, 3)
    )


def every_recorder() -> list[Recorder]:
    return [cr.explain.CreditRecorder(every=2, probe=9), cr.explain.FlowRecorder(every=3, probe=5)]


def trained(recorders: list[Recorder], **options: Any) -> tuple[dict[str, Array], cr.train.History, Array]:
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    settings: dict[str, Any] = {"batch_size": 7, "epochs": 3, "progress": False, "validation": 0.2, **options}
    history = cr.train.fit(model, optimizer, "cross_entropy", DATA, recorders=recorders, **settings)
    return model.state_dict(), history, cr.random.default_generator.get_state()


def assert_same(first: Any, second: Any) -> None:
    for name, each in first[0].items():
        assert each.tobytes() == second[0][name].tobytes(), name
    figures = [[{k: v for k, v in row.items() if k != "seconds"} for row in each[1].rows] for each in (first, second)]
    assert figures[0] == figures[1]
    assert first[2].tobytes() == second[2].tobytes()


@pytest.mark.parametrize("native", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_same_bits_with_and_without(native: bool) -> None:
    recorders = every_recorder()
    assert_same(trained([], compile=native), trained(recorders, compile=native))
    credit, flow = recorders[0].credit, recorders[1].flow  # type: ignore[attr-defined]
    assert credit.steps.last.tolist() == [2, 4, 6, 8] and flow.steps == (1, 4, 7)
    assert credit.relative_residual < 1e-6


def test_an_interrupted_run_records_the_same(tmp_path: Path) -> None:
    whole, first, second = every_recorder(), every_recorder(), every_recorder()
    trained(whole, compile=False)
    folder = {"run_directory": tmp_path / "run", "compile": False}
    model = network()
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    options: dict[str, Any] = {"batch_size": 7, "progress": False, "validation": 0.2, **folder}
    cr.train.fit(model, optimizer, "cross_entropy", DATA, recorders=first, epochs=1, **options)
    cr.train.fit(model, optimizer, "cross_entropy", DATA, recorders=second, epochs=3, resume=True, **options)
    for name, weights in whole[0].credit.weights.items():  # type: ignore[attr-defined]
        np.testing.assert_array_equal(second[0].credit.weights[name], weights)  # type: ignore[attr-defined]
    assert second[1].rows == whole[1].rows  # type: ignore[attr-defined]
    kept = cr.explain.read_credit(tmp_path / "run")
    assert kept is not None and kept.steps.last.tolist() == [2, 4, 6, 8]
    flow = cr.explain.read_flow(tmp_path / "run")
    assert flow is not None and flow.rows == whole[1].flow.rows  # type: ignore[attr-defined]


def test_nothing_recorded_asks_for_no_stop() -> None:
    none = Recorders(())
    assert none.steps_to_look(5, 1000) == 1000
    assert Recorders(every_recorder()).steps_to_look(5, 1000) == 1
    assert Recorders(every_recorder()[:1]).steps_to_look(4, 1000) == 2


def test_the_training_program_is_the_same_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorders add no equation to it; without them no program but it is made."""
    found: list[str] = []
    begin = Entry.__init__

    def noted(entry: Entry, captured: Any, *rest: Any) -> None:
        found.append(re.sub(r"\s+", " ", str(captured.graph)))
        begin(entry, captured, *rest)

    monkeypatch.setattr(Entry, "__init__", noted)
    data = DRAW.normal(size=(6, 3)).astype(np.float32), DRAW.normal(size=(6, 1)).astype(np.float32)
    programs = []
    for recorders in ([], every_recorder()):
        cr.random.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        cr.train.fit(model, optimizer, "mse", data, batch_size=3, epochs=2, progress=False, recorders=recorders)
        programs.append(list(found))
        found.clear()
    assert len(programs[0]) == 1 and programs[0] == programs[1]
