"""Code for processors that are not at hand: it is assembled, has their vectors, and calls no slow library for fma.

Each processor in a process of its own: what LLVM can't select ends the process.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from chainrule.compiler.machine import runtime
from chainrule.compiler.text.target import Target
from llvmlite import binding as llvm

triple, cpu, features, width, fma = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5] == "True"
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
chosen = Target(triple, cpu, features, width, fma)
runtime.host = lambda: chosen  # before anyone else has asked

import numpy as np
import chainrule as cr
from chainrule import nn, optim
from chainrule.capture import capture
from chainrule.compiler.compile import lowered
from chainrule.compiler.job import Job, Repeated
from chainrule.ir.types import ArrayType, float32, float64, int64

def network():
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(8 * 16, 24), nn.GELU(), nn.Linear(24, 5))

model = network()
optimizer = optim.Adam(model.parameters())

def step(images, labels):
    loss = nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss

def functions(x):
    found = [cr.exp(x), cr.log(x), cr.tanh(x), cr.erf(x), cr.sqrt(x), cr.softmax(x), cr.sort(x), x.T @ x]
    return (*found, cr.argmax(x, axis=1), x[::2, ::-1])

def exact_products(x):
    return cr.sin(x), cr.cos(x), x ** 1.7

def loop(x):
    return cr.scan(lambda carry, row: (cr.tanh(carry + row), carry * 2), x[0], x)

machine = llvm.Target.from_triple(triple).create_target_machine(
    cpu=cpu, features=features, opt=2, reloc="pic", codemodel="small"
)
programs = [(step, [ArrayType((4, 3, 8, 8), float32), ArrayType((4,), int64)])]
programs += [
    (each, [ArrayType((12, 40), kind)]) for each in (functions, exact_products, loop) for kind in (float32, float64)
]
for function, kinds in programs:
    captured = capture(function, kinds, {})
    repeated = Repeated(captured.argument_count, len(captured.numbers), captured.result_count)
    module = llvm.parse_assembly(lowered(Job(captured.graph, {}, True, repeated)).text)
    module.verify()
    print(f"# {function.__name__} {kinds[0].dtype}")
    print(machine.emit_assembly(module))
"""


def assembly(triple: str, cpu: str, features: str, width: int, fma: bool) -> str:
    command = [sys.executable, "-c", PROGRAM, triple, cpu, features, str(width), str(fma)]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout


def count(pattern: str, text: str) -> int:
    return len(re.findall(pattern, text))


LIBRARY_FMA = r"\b(?:bl|callq?|jmp|b)\s+_?fmaf?\b"


@pytest.mark.parametrize(
    ("triple", "cpu"), [("aarch64-unknown-linux-gnu", "neoverse-n1"), ("arm64-apple-macosx", "apple-m1")]
)
def test_arm(triple: str, cpu: str) -> None:
    text = assembly(triple, cpu, "", 16, True)
    assert count(r"\bfmla(?:\.4s)?\s", text) > 100
    assert count(r"\bv\d+\.4s|\.4s\s", text) > 100
    assert count(r"\bv\d+\.2d|\.2d\s", text) > 100
    assert not count(LIBRARY_FMA, text)


def test_avx2() -> None:
    text = assembly("x86_64-unknown-linux-gnu", "haswell", "", 32, True)
    assert count(r"\bvfmadd\w+\s.*%ymm", text) > 100
    assert not count("%zmm", text)
    assert not count(LIBRARY_FMA, text)


def test_plain() -> None:
    text = assembly("x86_64-unknown-linux-gnu", "x86-64", "", 16, False)
    assert count(r"\bmulps\s", text) > 100
    assert count(r"\baddps\s", text) > 100
    assert not count(r"%[yz]mm|\bvfmadd", text)
    parts = re.split(r"^# (\w+) float\d+$", text, flags=re.MULTILINE)[1:]
    for name, code in zip(parts[::2], parts[1::2]):
        callers = [kernel for kernel, body in kernels(code) if count(LIBRARY_FMA, body)]
        if name == "exact_products":  # these need the errors of float64 products, which nothing else gives
            continue
        assert all("power" in caller for caller in callers), callers  # of Adam's betas, once a step


def kernels(code: str) -> list[tuple[str, str]]:
    """The functions in an assembly text, by name."""
    pieces = re.split(r"^(\w+):.*$", code, flags=re.MULTILINE)[1:]
    return list(zip(pieces[::2], pieces[1::2]))
