"""Arrays of bfloat16: every primitive against float32 rounded by ml_dtypes, eager and compiled; how they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import nn, optim
from chainrule.capture import capture
from chainrule.compiler.rewrites.pairs import take_pairs
from chainrule.errors import (
    ChainruleError,
    CheckpointError,
    ConfigurationError,
    DtypeError,
    MissingDependencyError,
    NonFiniteError,
)
from chainrule.finite import replay
from chainrule.ir.build import bind, constant, evaluate
from chainrule.ir.primitive import Sample, all_primitives
from chainrule.ir.types import ArrayType, as_dtype, float32
from chainrule.reference import run

ml_dtypes = pytest.importorskip("ml_dtypes")
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
RANDOM = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return np.asarray(RANDOM.standard_normal(shape), BFLOAT16)


def wide(array: Any) -> np.ndarray[Any, Any]:
    given = np.asarray(array)
    return given.astype(np.complex128 if given.dtype.kind == "c" else np.float64)


def test_casts_have_the_bits_of_ml_dtypes_eager_and_compiled() -> None:
    upper = np.arange(0, 1 << 16, 7, dtype=np.uint32) << np.uint32(16)
    numbers = (upper[:, None] | np.array([0, 1, 0x7FFF, 0x8000, 0x8001], np.uint32)).ravel().view(np.float32)
    with np.errstate(invalid="ignore"):  # signalling NaN
        expected = numbers.astype(BFLOAT16)
    both = lambda x: (x.astype("bfloat16"), x.astype("bfloat16").astype("float32"))  # noqa: E731
    for function in (both, cr.compile(both)):
        narrow, again = function(cr.tensor(numbers))
        assert narrow.dtype == BFLOAT16 and narrow.numpy().tobytes() == expected.tobytes()
        assert again.numpy().tobytes() == expected.astype(np.float32).tobytes()


def floats(sample: Sample) -> bool:
    arrays = [np.asarray(each) for each in sample.inputs]
    return (
        any(each.dtype == float32 for each in arrays)
        and "dtype" not in sample.params
        and not {"body", "true_body"} & set(sample.params)
    )


@pytest.mark.parametrize("name", sorted(all_primitives()))
def test_every_primitive_is_that_of_float32_rounded(name: str) -> None:
    primitive = all_primitives()[name]
    for sample in filter(floats, primitive.samples()):
        arrays = [np.asarray(each) for each in sample.inputs]
        with np.errstate(all="ignore"):
            narrow = [each.astype(BFLOAT16) if each.dtype == float32 else each for each in arrays]
        again = [each.astype(float32) if each.dtype == BFLOAT16 else each for each in narrow]
        try:
            answer = primitive.type_rule(*(ArrayType(each.shape, each.dtype) for each in again), **sample.params)
        except ChainruleError:
            continue
        types = answer if isinstance(answer, tuple) else (answer,)
        expected = evaluate(primitive, list(again), dict(sample.params), types)
        given = bind(primitive, *map(constant, narrow), **sample.params)
        for value, array in zip(given if isinstance(given, tuple) else (given,), expected):
            assert value.dtype == (BFLOAT16 if array.dtype == float32 else array.dtype)
            with np.errstate(all="ignore"):
                np.testing.assert_array_equal(wide(value.data), wide(array.astype(value.dtype)))


def program(x: Any, y: Any) -> Any:
    moved = cr.concat([x[:, ::-1], cr.permute_dims(y, (1, 0))])
    total = cr.softmax(x * 2 + 0.5, axis=1) @ y
    return (
        moved,
        total,
        cr.where(x > 0, x, 0.0),
        x.sum(0),
        cr.max(x),
        x.astype("int32"),
        cr.take(x, [2, 0], 0),
        x[1:, 2],
    )


def test_compiled_programs_agree_and_keep_their_type() -> None:
    x, y = cr.tensor(normal(5, 33)), cr.tensor(normal(33, 5))
    for given, expected in zip(cr.compile(program)(x, y), program(x, y)):
        assert given.dtype == expected.dtype
        np.testing.assert_allclose(wide(given.numpy()), wide(expected.numpy()), rtol=2**-7, atol=2**-9)


def test_gradients_have_the_type_of_what_they_belong_to() -> None:
    x = cr.tensor(normal(4, 6), requires_grad=True)
    w = cr.tensor(wide(normal(6, 3)).astype(np.float32), requires_grad=True)
    (cr.tanh(x @ w) ** 2).sum().backward()
    exact = [cr.tensor(wide(each.numpy()), requires_grad=True) for each in (x, w)]
    (cr.tanh(exact[0] @ exact[1]) ** 2).sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (BFLOAT16, np.float32)
    np.testing.assert_allclose(w.grad.numpy(), exact[1].grad.numpy(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(wide(x.grad.numpy()), exact[0].grad.numpy(), rtol=2**-7, atol=1e-3)


def test_products_are_taken_in_pairs_where_there_is_an_instruction() -> None:
    graph = capture(lambda x, w: x @ w, [ArrayType(shape, BFLOAT16) for shape in ((40, 64), (64, 24))]).graph
    paired = take_pairs(graph)
    assert "pair_product" in [equation.primitive.name for equation in paired.equations]
    arrays = [normal(40, 64), normal(64, 24)]
    np.testing.assert_allclose(wide(run(paired, arrays)[0]), wide(run(graph, arrays)[0]), rtol=2**-7, atol=1e-3)


def test_loops_and_batches() -> None:
    x = cr.tensor(normal(6, 4))
    loop = lambda x: cr.scan(lambda total, row: (total + row, total * row), x[0], x)  # noqa: E731
    for given, expected in zip(cr.compile(loop)(x), loop(x)):
        assert given.dtype == BFLOAT16 and np.array_equal(given.numpy(), expected.numpy())
    each = cr.vmap(lambda row: row * row.sum())(x)
    assert np.array_equal(each.numpy(), np.stack([(row * row.sum()).numpy() for row in x]))


def test_promotion_and_facts() -> None:
    table = {
        "bfloat16": "bfloat16",
        "float32": "float32",
        "float64": "float64",
        "int64": "bfloat16",
        "bool": "bfloat16",
    }
    for other, result in table.items():
        assert cr.result_type("bfloat16", other) == cr.result_type(other, cr.bfloat16) == as_dtype(result)
    assert cr.result_type("bfloat16", "complex64") == np.complex64 and cr.result_type("bfloat16", 2.5) == BFLOAT16
    assert cr.can_cast("bfloat16", "float32") and not cr.can_cast("float32", "bfloat16")
    assert cr.isdtype("bfloat16", "real floating") and not cr.isdtype("bfloat16", "complex floating")
    found, known = cr.finfo(cr.bfloat16), ml_dtypes.finfo(BFLOAT16)
    assert (found.bits, found.eps, found.max) == (known.bits, float(known.eps), float(known.max))
    assert (found.min, found.smallest_normal) == (float(known.min), float(known.smallest_normal))


def test_making_printing_and_changing() -> None:
    x = cr.zeros((2, 2), dtype=cr.bfloat16)
    x[0] = [1.5, -2]
    x += 0.25
    assert str(x) == "tensor([[1.75, -1.75],\n        [0.25, 0.25]], dtype=bfloat16)"
    assert x.tolist() == [[1.75, -1.75], [0.25, 0.25]] and cr.tensor(np.asarray(x)).dtype == BFLOAT16
    assert {f(3, dtype="bfloat16").dtype for f in (cr.ones, cr.arange, cr.eye)} == {BFLOAT16}
    with pytest.raises(BufferError, match="astype"):
        np.from_dlpack(x)
    with pytest.raises(DtypeError, match="complex"):
        cr.tensor([1j]).astype("bfloat16")


def test_files(tmp_path: Path) -> None:
    kept = {"a": cr.tensor(normal(3, 2)), "b": cr.tensor(normal(4))}
    cr.interop.save_file(kept, tmp_path / "x.safetensors")
    assert (tmp_path / "x.safetensors").stat().st_size < 300
    for name, array in cr.interop.load_file(tmp_path / "x.safetensors").items():
        assert array.dtype == np.float32 and np.array_equal(array, wide(kept[name].numpy()))


def test_a_network_kept_in_half_the_memory_answers_and_is_not_trained() -> None:
    cr.random.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
    x = cr.tensor(normal(5, 6)).astype("float32")
    exact, state = model(x).numpy(), model.state_dict()
    model.to(cr.bfloat16)
    assert model(x.astype("bfloat16")).dtype == BFLOAT16
    np.testing.assert_allclose(wide(model(x.astype("bfloat16")).numpy()), exact, atol=0.02)
    model.load_state_dict(state)
    assert next(iter(model.parameters())).dtype == BFLOAT16
    with pytest.raises(ConfigurationError, match="autocast"):
        optim.SGD(model.parameters(), lr=0.1)


def test_layers_are_made_in_it_and_nan_is_found() -> None:
    layer = nn.Linear(3, 2, dtype=cr.bfloat16)
    assert {each.dtype for each in layer.parameters()} == {BFLOAT16}
    assert cr.random.normal((5,), dtype="bfloat16").dtype == BFLOAT16
    logarithm = cr.compile(lambda x: cr.log(x), check_finite=True)
    with pytest.raises(NonFiniteError, match="log"):
        logarithm(cr.tensor(-np.ones(3)).astype("bfloat16"))


def test_a_saved_step_of_it_is_replayed_and_its_rows_are_named() -> None:
    """A file of NumPy knows bfloat16 by its size alone, and the graph names it where it casts."""
    scale = np.asarray([1, 2, 0], BFLOAT16)
    logarithm = cr.compile(lambda x: cr.log(x.astype("bfloat16") * scale + 1), check_finite=True)
    with pytest.raises(NonFiniteError) as caught:
        logarithm(np.array([[1, 1, 1], [1, -2, 1]], np.float32))
    _, trail = replay(caught.value.file)
    assert str(trail) == str(caught.value.trail) and trail is not None
    assert trail.births[0].operation == "log" and trail.births[0].rows == (1,)


def test_elements_of_no_known_kind_are_no_state() -> None:
    layer = nn.Linear(1, 1)
    with pytest.raises(CheckpointError, match=r"weight is float32 here but \|V4 in the state"):
        layer.load_state_dict({"weight": np.zeros((1, 1), "V4"), "bias": np.zeros(1, "V4")})
    layer.load_state_dict({name: np.asarray(each, BFLOAT16) for name, each in layer.state_dict().items()})


def test_the_package_is_loaded_for_who_names_it_and_missed_in_words() -> None:
    code = (
        "import sys, chainrule as cr; x = cr.tensor([[1.0]]); "
        "exec('with cr.autocast(\"bfloat16\"): x @ x'); assert 'ml_dtypes' not in sys.modules; "
        "cr.bfloat16; assert 'ml_dtypes' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    missing = "import sys; sys.modules['ml_dtypes'] = None; import chainrule as cr; cr.zeros(2, dtype='bfloat16')"
    answer = subprocess.run([sys.executable, "-c", missing], capture_output=True, text=True)
    assert MissingDependencyError.__name__ in answer.stderr and "pip install 'chainrule[bfloat16]'" in answer.stderr
