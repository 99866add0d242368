"""What is told of the first NaN or infinity: the line, the operation, its operands, the example; and the replay."""

from __future__ import annotations

import errno
import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim
from chainrule.cli.main import chainrule as command
from chainrule.errors import LinearAlgebraError, NonFiniteError
from chainrule.finite import replay
from chainrule.finite.store import new_place

GENERATOR = np.random.default_rng(0)
INPUTS = GENERATOR.standard_normal((64, 8)).astype(np.float32)
LABELS = GENERATOR.integers(0, 3, 64)


def raised(call: Any, *arguments: Any, **options: Any) -> NonFiniteError:
    with pytest.raises(NonFiniteError) as caught:
        call(*arguments, **options)
    return caught.value


def test_the_logarithm_of_zero() -> None:
    @cr.compile(check_finite=True)
    def entropy(p: Any) -> Any:
        return -(p * cr.log(p)).sum()  # here

    p = np.full((4, 3), 1 / 3, np.float32)
    assert np.isfinite(entropy(p).item())
    p[2] = [1, 0, 0]
    error = raised(entropy, p)
    births = error.trail.births
    assert [(birth.operation, birth.what) for birth in births] == [("log", "an infinity"), ("multiply", "NaN")]
    assert births[0].operands[0].name == "argument p"
    assert births[0].operands[0].zeros == pytest.approx(2 / 12)
    assert births[0].result.infinities == pytest.approx(2 / 12)
    assert births[0].operands[0].is_finite and not births[0].result.is_finite
    message = str(error)
    assert re.search(r"in log\n  at test_trail\.py:\d+: return -\(p \* cr\.log\(p\)\)\.sum\(\)  # here", message)
    assert "Row 2 of the batch" in message and "log_softmax" in message


def test_zero_by_zero() -> None:
    ratio = cr.compile(lambda x, y: ((x / y) ** 2).mean(), check_finite=True)
    x, y = INPUTS.copy(), INPUTS.copy()
    x[7, 3] = y[7, 3] = 0
    error = raised(ratio, x, y)
    (birth,) = error.trail.births
    assert (birth.operation, birth.what, birth.rows) == ("divide", "NaN", (7,))
    assert birth.result.nans == pytest.approx(1 / 512)


def test_exp_overflows() -> None:
    def softmax(x: Any) -> Any:
        e = cr.exp(x * 100)
        return (e / e.sum(axis=1, keepdims=True)).max()

    error = raised(cr.compile(softmax, check_finite=True), INPUTS)
    assert [birth.operation for birth in error.trail.births] == ["exp", "divide"]
    assert "e = cr.exp(x * 100)" in str(error)


def classifier(rate: float = 0.1) -> tuple[nn.Module, Any]:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    step = step_of(model, optim.Adam(model.parameters(), lr=rate))
    return model, cr.compile(step, check_finite=True)


def test_a_row_of_the_data_is_named_and_the_weights_are_those_before_the_step() -> None:
    inputs = INPUTS.copy()
    inputs[37, 2] = np.nan
    order = np.arange(64)[::-1]
    model, step = classifier()
    error = raised(step.epoch, inputs, LABELS, batch_size=16, order=order)
    assert "Argument inputs holds NaN" in str(error)
    assert "Row 10 of the batch: example 37 of the data" in str(error)
    clean, good = classifier()
    good.epoch(inputs, LABELS, batch_size=16, order=order[:16])  # example 37 comes in the second batch
    for name, array in model.state_dict().items():
        assert array.tobytes() == clean.state_dict()[name].tobytes()


def test_an_infinite_derivative() -> None:
    """Seen in the weights, and told with the line of the operation that was derived."""
    w = cr.Parameter(np.zeros(3, np.float32))
    optimizer = optim.SGD([w], lr=0.1)

    @cr.compile(check_finite=True)
    def step(x: Any) -> Any:
        loss = cr.sqrt((w * w).sum()) + (w * x).sum()  # the forward line
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    def many() -> None:
        for _ in range(5):
            step(INPUTS[0, :3])

    error = raised(many)
    first = error.trail.births[0]
    assert first.derives is not None and first.derives[0] == "sqrt"
    assert "# the forward line" in str(error) and "parameter w after the step" in str(error).lower()
    np.testing.assert_array_equal(w.numpy(), 0)


def test_weights_spoiled_by_the_last_call_are_found_by_check() -> None:
    w = cr.Parameter(np.ones(3, np.float32))

    @cr.compile(check_finite=True)
    def step(x: Any) -> Any:
        loss = (w * x).sum()
        w.assign(w - cr.sqrt(x.reshape(3)))
        return loss

    for _ in range(3):
        step(INPUTS[0, :3] * 0)
    step.check()
    assert np.isfinite(step(np.array([1, -1, 1], np.float32)).item()) and np.isnan(w.numpy()).any()
    ways = (step.check, lambda: step.epoch(-np.ones((1, 3), np.float32), batch_size=1))
    for spoiled in ways:
        error = raised(spoiled)
        assert error.trail.births[0].operation == "sqrt" and "parameter w after the step" in str(error).lower()
        np.testing.assert_array_equal(w.numpy(), 1)


@pytest.mark.parametrize("native", [True, False])
def test_a_learning_rate_that_is_too_large(native: bool, tmp_path: Path) -> None:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
    error = raised(
        cr.train.fit,
        model,
        optim.SGD(model.parameters(), lr=1e6),
        "mse",
        data=(INPUTS, INPUTS[:, :1].copy()),
        batch_size=16,
        epochs=50,
        check_finite=True,
        compile=native,
        run_directory=tmp_path / "run",
        progress=False,
    )
    assert error.trail.births
    assert Path(error.file).parent == tmp_path / "run"
    assert "smaller learning rate" in str(error)
    assert all(np.isfinite(array).all() for array in model.state_dict().values())


def test_a_saved_step_is_replayed_to_the_same_cause() -> None:
    _, step = classifier()
    inputs = INPUTS.copy()
    inputs[3] = np.inf
    error = raised(step, inputs[:16], LABELS[:16])
    saved, trail = replay(error.file)
    assert str(trail) == str(error.trail)  # NaN is not equal to itself
    assert saved.graph.name == "step" and len(saved.inputs) == len(saved.names)
    shown = CliRunner().invoke(command, ["replay", error.file, "--program"])
    assert shown.exit_code == 0
    assert "Row 3 of the batch" in shown.output and "matmul" in shown.output


def test_no_saved_step_is_written_over(tmp_path: Path) -> None:
    assert new_place(tmp_path / "run").name == "not-finite-1.npz"
    (tmp_path / "run" / "not-finite-1.npz").touch()
    assert new_place(tmp_path / "run").name == "not-finite-2.npz" == new_place(tmp_path / "run").name


def test_what_is_no_step_is_told(tmp_path: Path) -> None:
    whole = Path(raised(cr.compile(cr.log, check_finite=True), np.float32(-1)).file).read_bytes()
    (tmp_path / "other.npz").write_bytes(b"nothing")
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "spoiled.npz").write_bytes(whole[:200] + bytes(200) + whole[400:])
    np.savez(tmp_path / "arrays.npz", page=np.zeros(3))
    for name in ("other", "half", "spoiled", "arrays"):
        shown = CliRunner().invoke(command, ["replay", str(tmp_path / f"{name}.npz")])
        assert shown.exit_code == 2 and "no step that can be replayed" in shown.output, name
        assert "pickle" not in shown.output
    shown = CliRunner().invoke(command, ["replay", str(tmp_path / "absent.npz")])
    assert shown.exit_code == 2 and "there is no file" in shown.output


def test_eagerly() -> None:
    with cr.check_finite():
        error = raised(lambda: cr.log(cr.tensor([1.0, -1.0])))
        assert error.trail.births[0].operation == "log"
        x = cr.tensor(0.0, requires_grad=True)
        error = raised(lambda: cr.sqrt(x * x).backward())  # ∞ · 0
        assert [birth.derives[0] for birth in error.trail.births] == ["sqrt", "multiply"]
        error = raised(lambda: cr.softmax(cr.tensor([-np.inf, -np.inf])))
        assert [birth.operation for birth in error.trail.births] == ["", "softmax"]
        assert replay(error.file)[1].births[1].operation == "softmax"
        masked = cr.softmax(cr.where(np.tri(3, dtype=bool), cr.ones((3, 3)), -np.inf))
        assert masked.numpy()[0, 0] == 1
    assert np.isnan(cr.log(cr.tensor(-1.0)).item())  # outside the block nothing is asked


def test_the_check_moves_no_bit() -> None:
    checked, step = classifier()
    step.epoch(INPUTS, LABELS, batch_size=10)
    step(INPUTS[:10], LABELS[:10])
    plain, other = classifier()
    other.check_finite = False
    other.epoch(INPUTS, LABELS, batch_size=10)
    other(INPUTS[:10], LABELS[:10])
    for name, array in checked.state_dict().items():
        assert array.tobytes() == plain.state_dict()[name].tobytes()


@pytest.mark.parametrize("most", [1 << 25, 1])
def test_calls_are_made_again_on_what_they_were_given(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the caller writes its next batch to the same array, and memory of earlier calls is used again."""
    monkeypatch.setattr("chainrule.compiler.running.checked.MOST_BYTES", most)
    model, step = classifier()
    batch = np.empty((4, 8), np.float32)
    for number in range(12):
        batch[:] = INPUTS[4 * number : 4 * number + 4]
        step(batch, LABELS[:4])
    batch[1] = np.nan
    assert "Row 1 of the batch" in str(raised(step, batch, LABELS[:4]))
    clean, good = classifier()
    good.check_finite = False
    for number in range(12):
        good(INPUTS[4 * number : 4 * number + 4], LABELS[:4])
    for name, array in model.state_dict().items():
        assert array.tobytes() == clean.state_dict()[name].tobytes()


def test_masks_of_minus_infinity_are_no_alarm() -> None:
    mask = np.tri(5, dtype=bool)
    attend = cr.compile(lambda x: cr.softmax(cr.where(mask, x @ x.T, -cr.inf)).sum(), check_finite=True)
    assert attend(INPUTS[:5]).item() == pytest.approx(5, rel=1e-5)


def test_the_round_of_a_loop_and_its_line_are_named() -> None:
    def total(x: Any) -> Any:
        def body(carry: Any, row: Any) -> Any:
            return carry + cr.log(row), None  # in the body

        return cr.scan(body, cr.zeros(2), x)[0].sum()

    rows = np.array([[1, 2], [3, -4], [5, 6]], np.float32)
    for call in (cr.compile(total, check_finite=True), total):
        with cr.check_finite():
            error = raised(call, rows)
        (birth,) = error.trail.births
        assert (birth.operation, birth.inside) == ("log", "slice 1 of scan, counted from 0")
        assert "# in the body" in str(error) and birth.operands[0].low == -4

    looped = cr.compile(lambda x: cr.while_loop(lambda c: c < 1e30, cr.exp, x), check_finite=True)
    assert raised(looped, np.float32(2)).trail.births[0].inside == "round 2 of while_loop, counted from 0"
    chosen = cr.compile(lambda x: cr.cond(x.sum() > 0, lambda: cr.sqrt(x - 10), lambda: x), check_finite=True)
    assert raised(chosen, rows).trail.births[0].inside == "the branch of cond for True"


def test_an_infinity_that_is_carried_to_the_round_of_the_first_nan_is_followed_to_its_own() -> None:
    def total(x: Any) -> Any:
        return cr.scan(lambda carry, row: (carry - 1 / row, None), cr.zeros(2), x)[0]

    rows = np.array([[1, 2], [0, -4], [5, 6], [-0.0, 1]], np.float32)
    first, second = raised(cr.compile(total, check_finite=True), rows).trail.births
    assert (first.operation, first.what) == ("divide", "an infinity")
    assert first.inside == "slice 1 of scan, counted from 0" and first.operands[1].low == -4
    assert (second.operation, second.what, second.inside) == ("subtract", "NaN", "slice 3 of scan, counted from 0")

    begun = cr.compile(lambda x: cr.while_loop(lambda c: c[0] < 9, lambda c: c * x, 1 / x), check_finite=True)
    births = raised(begun, np.float32([2, 0])).trail.births
    assert [birth.operation for birth in births] == ["divide", "", "multiply"]


def test_a_row_of_a_part_of_the_batch_is_named() -> None:
    """Gradients of several parts are added up in a loop, and of a smaller part behind it."""
    inputs = np.abs(INPUTS[:14])
    for row in (9, 13):
        spoiled = inputs.copy()
        spoiled[row, 1] = -1
        model = nn.Sequential(Root(), nn.Linear(8, 3))
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        options: dict[str, Any] = {"batch_size": 4, "accumulate": 4, "shuffle": False, "check_finite": True}
        with pytest.raises(NonFiniteError) as caught:
            cr.train.fit(model, optimizer, data=(spoiled, LABELS[:14]), compile=True, progress=False, **options)
        birth = caught.value.trail.births[0]
        assert birth.operation == "sqrt"
        if row < 12:
            assert birth.part == (8, 4) and "Row 9 of the batch: example 9 of the data" in str(caught.value)


class Root(nn.Module):
    def forward(self, x: Any) -> Any:
        return cr.sqrt(x)


def test_the_layer_is_named_and_no_line_of_the_command_line(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))
    birth = raised(cr.compile(lambda x: cr.log(model(x) - 100).sum(), check_finite=True), INPUTS).trail.births[0]
    assert (birth.operation, birth.layer) == ("log", "2")
    table = tmp_path / "numbers.csv"
    table.write_text("a,b\n" + "\n".join(f"{np.sin(number):.3f},{np.cos(number):.3f}" for number in range(40)))
    options = ["--target", "b", "--check-finite", "--lr", "1e38", "--optimizer", "sgd", "--epochs", "3"]
    shown = CliRunner().invoke(command, ["train", str(table), *options, "--run", str(tmp_path / "run")])
    assert "is not finite" in shown.output and "chainrule replay" in shown.output, shown.output
    assert "behind the weights of layer" in shown.output and "click" not in shown.output


@pytest.mark.parametrize("native", [True, False])
def test_a_step_that_cannot_be_saved_is_told_all_the_same(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with cr.check_finite() if not native else nullcontext():
        error = raised(cr.compile(cr.log, check_finite=True) if native else cr.log, cr.tensor([-1.0]))
    assert error.trail.births[0].operation == "log"
    assert re.search("could not be saved for `chainrule replay`: no space left", str(error))
    assert error.file is None


def test_a_singular_matrix_is_told_with_the_line_of_its_operation_and_changes_no_weight() -> None:
    weight = cr.tensor(np.eye(2, dtype=np.float32))

    def step(x: Any) -> Any:
        weight.assign(weight + 1)
        return cr.linalg.inv(x).sum()

    with pytest.raises(LinearAlgebraError) as caught:
        cr.compile(step, check_finite=True)(np.ones((2, 2), np.float32))
    assert "return cr.linalg.inv(x).sum()" in str(caught.value)
    assert "is as it was before this step" in str(caught.value)
    np.testing.assert_array_equal(weight, np.eye(2))
