"""Exported for C: built by the C compiler alone, a training gives the bits that Python gives."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.steps import step_of

import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.machine.targets import target_named
from chainrule.errors import ConfigurationError
from chainrule.interop.c import export, load_state

COMPILER = shutil.which("gcc") or shutil.which("cc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="there is no C compiler")
BATCH, STEPS = 16, 40
Step = Callable[[Any, Any], Any]


def training() -> tuple[nn.Module, Step]:
    """A small network for digits, with moments, a learning rate and random state."""
    cr.random.manual_seed(3)
    convolution = nn.Conv2d(1, 4, 5, stride=3)
    model = nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Dropout(0.1), nn.Linear(4 * 64, 10))
    optimizer = optim.Adam(model.parameters(), lr=3e-3)

    def step(images: Any, labels: Any) -> Any:
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return model, step


def built(folder: Path, name: str) -> Path:
    command = [str(COMPILER), "-std=c11", "-Wall", "-Wextra", "-Werror", "-O1"]
    files = [f"{name}_example.c", f"{name}.o"]
    subprocess.run([*command, *files, "-lm", "-o", "program"], cwd=folder, check=True)
    return folder / "program"


def batches() -> list[tuple[Any, Any]]:
    (images, labels), _ = cr.data.digits()
    places = [slice(BATCH * step, BATCH * (step + 1)) for step in range(STEPS)]
    return [(images[place], labels[place]) for place in places]


@needs_compiler
@pytest.mark.parametrize("embed", [True, False])
def test_training_digits_in_c_gives_the_bits_of_python(tmp_path: Path, embed: bool) -> None:
    _, step = training()
    files = export(tmp_path, {"train": (step, batches()[0])}, name="digits", embed=embed)
    assert (tmp_path / "digits.state" in files) is not embed
    program = built(tmp_path, "digits")
    given = b"".join(np.ascontiguousarray(array).tobytes() for batch in batches() for array in batch)
    done = subprocess.run([program, "after"], cwd=tmp_path, input=given, capture_output=True, check=True)
    model, step = training()
    compiled = cr.compile(step)
    losses = [compiled(*batch).item() for batch in batches()]
    assert [float(line) for line in done.stdout.split()] == losses
    assert np.mean(losses[-8:]) < 0.6 * losses[0]
    learned = load_state(tmp_path / "digits.h", tmp_path / "after")
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(learned[name.replace(".", "_")], parameter.numpy())
    np.testing.assert_array_equal(learned["random_state"], cr.random.default_generator.get_state())
    assert learned["lr"] == 3e-3 and learned["0_weight_step"] == STEPS


MAIN = """
#include <stdio.h>
#include "net.h"
static _Alignas(64) unsigned char state[NET_STATE_BYTES];
int main(void)
{
    float x[6] = {1, 2, 3, 4, 5, 6}, y[4], before[4], loss[1];
    int64_t wrong[2] = {0, 2}, right[2] = {0, 1};
    net_init(state);
    net_predict(state, x, before);
    *net_lr(state) = 0;
    int refused = net_train(state, x, wrong, loss), done = net_train(state, x, right, loss);
    net_predict(state, x, y);
    int same = y[0] == before[0] && y[3] == before[3];
    net_bias(state)[1] += 1;
    net_predict(state, x, y);
    printf("%d %d %d %g", refused, done, same, y[3] - before[3]);
    return 0;
}
"""


@needs_compiler
def test_functions_share_a_state_whose_options_and_weights_c_may_change(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    train = cr.compile(step_of(model, optim.SGD(model.parameters(), lr=0.1)))
    x = np.ones((2, 3), np.float32)
    export(tmp_path, {"train": (train, (x, np.zeros(2, np.int64))), "predict": (model, (x,))}, name="net")
    (tmp_path / "net_example.c").write_text(MAIN)
    done = subprocess.run([built(tmp_path, "net")], capture_output=True, text=True, check=True)
    assert done.stdout == "1 0 1 1"


@pytest.mark.parametrize(("target", "machine"), [("x86-64", 62), ("x86-64-v3", 62), ("aarch64", 183)])
def test_other_processors(tmp_path: Path, target: str, machine: int) -> None:
    model = nn.Linear(8, 4)
    export(tmp_path, {"predict": (model, (np.zeros((4, 8), np.float32),))}, target=target)
    raw = (tmp_path / "network.o").read_bytes()
    assert raw[:4] == b"\x7fELF" and int.from_bytes(raw[18:20], "little") == machine
    assert b"network_predict\0" in raw


@pytest.mark.parametrize(
    ("name", "features", "vector_bytes"),
    [
        ("x86-64", "", 16),
        ("x86-64", "+avx2", 32),
        ("x86-64", "+avx512f", 32),
        ("x86-64", "+avx512f,+avx512vl,+avx512dq", 64),
        ("x86-64-v4", "", 64),
        ("x86-64-v4", "-avx512vl", 32),
        ("x86-64-v4", "-avx2", 32),
        ("x86-64-v4", "-sse4.2", 32),
    ],
)
def test_features_decide_which_instructions_there_are(
    tmp_path: Path, name: str, features: str, vector_bytes: int
) -> None:
    """A sigmoid takes AVX-512's own instructions on short vectors, which LLVM can't write without all of it."""
    assert target_named(name, None, features).vector_bytes == vector_bytes
    routines = {"predict": (cr.sigmoid, (np.zeros(3, np.float32),))}
    export(tmp_path, routines, target=name, features=features)
    assert (tmp_path / "network.o").read_bytes()[:4] == b"\x7fELF"


@pytest.mark.parametrize(
    ("triple", "why"),
    [
        ("armv7-unknown-linux-gnueabihf", "addresses shorter than 64 bits"),
        ("i686-unknown-linux-gnu", "addresses shorter than 64 bits"),
        ("wasm32-unknown-unknown", "addresses shorter than 64 bits"),
        ("aarch64_be-unknown-linux-gnu", "the high byte of a number first"),
        ("s390x-unknown-linux-gnu", "the high byte of a number first"),
        ("no-such-processor", "LLVM knows no target"),
    ],
)
def test_processors_that_no_code_is_made_for(triple: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        target_named(triple)
    assert target_named("aarch64-unknown-linux-gnu").has_fma


def test_names_that_c_cannot_have(tmp_path: Path) -> None:
    routines = {"predict": (nn.Linear(2, 2), (np.zeros((1, 2), np.float32),))}
    with pytest.raises(ConfigurationError, match="can't be a name in C"):
        export(tmp_path, routines, name="my-net")
    with pytest.raises(ConfigurationError, match="x86-64-v3"):
        export(tmp_path, routines, target="x86-64-v33")
    for cpu, features in (("haswell", ""), (None, "-avx512f")):  # code for this machine would not run there
        with pytest.raises(ConfigurationError, match="belong to a target with a name"):
            target_named("host", cpu, features)
    assert not list(tmp_path.iterdir())
