"""ONNX's own backend test suite through our importer: what passes, what fails, what is not supported and why.

    python tests/interop/onnx_backend.py                   the counts, and each failure
    python tests/interop/onnx_backend.py node Conv         tests of a kind whose name has a word in it

The node and model tests ship in the wheel of onnx. "Float" are those node tests whose inputs, outputs and operators are
of float32, float64, integers and bools, in ONNX's own operator set: what Chainrule has arrays for.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.loader import DATA_DIR, load_model_tests
from onnx.backend.test.runner import Runner

from chainrule.interop.onnx import OnnxError
from chainrule.interop.onnx.module import OnnxModule
from chainrule.interop.onnx.operators import UNSUPPORTED

KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator", "light")
OURS = {"FLOAT", "DOUBLE", "BOOL", *(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))}
RANDOM_NUMBERS = "random numbers: those of NumPy's generator are expected"
RANDOM = ("Bernoulli", "RandomUniformLike", "RandomNormalLike")


@dataclass(frozen=True)
class Outcome:
    """How a test ended: passed, failed or unsupported. is_float: see above."""

    kind: str
    name: str
    outcome: str
    reason: str
    is_float: bool


def tests(kind: str) -> Iterator[tuple[Any, Any]]:
    """(case, model) of a kind."""
    if kind == "light":
        yield from _light()
        return
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        cases = load_model_tests(kind=kind)
    for case in cases:
        yield case, case.model if case.model_dir is None else onnx.load(Path(case.model_dir) / "model.onnx")


@dataclass(frozen=True)
class LightCase:
    """A network of an image competition with weights of one value each, and what ONNX's reference makes of an image."""

    name: str
    data_sets: list[Any]
    model_dir: None = None
    rtol: float = 1e-3
    atol: float = 1e-7


def _light() -> Iterator[tuple[LightCase, Any]]:
    for path in sorted((Path(DATA_DIR) / "light").glob("*.onnx")):
        model = onnx.load(path)
        stored = {tensor.name for tensor in model.graph.initializer}
        (image,) = [each for each in model.graph.input if each.name not in stored]
        given = Runner.generate_dummy_data(image, seed=0, name=path.stem, random=False)
        proto = onnx.TensorProto()
        proto.ParseFromString(path.with_name(f"{path.stem}_output_0.pb").read_bytes())
        yield LightCase(f"test_{path.stem}", [([given], [proto])]), model


def _data(case: Any, model: Any) -> Iterator[tuple[list[Any], list[Any]]]:
    """(inputs, outputs), made by the case itself or kept in files."""
    if case.model_dir is None:
        for inputs, outputs in case.data_sets:
            yield [_plain(each) for each in inputs], [_plain(each) for each in outputs]
        return
    for sample in sorted(Path(case.model_dir).glob("test_data_set_*")):
        yield tuple(  # type: ignore[misc]
            [_array(path, value) for path, value in zip(_files(sample, part), values)]
            for part, values in (("input", model.graph.input), ("output", model.graph.output))
        )


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_plain, value))
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _files(sample: Path, part: str) -> list[Path]:
    return sorted(sample.glob(f"{part}_*.pb"), key=lambda path: int(path.stem.split("_")[1]))


def _array(path: Path, value: Any) -> Any:
    if value.type.WhichOneof("value") == "sequence_type":
        sequence = onnx.SequenceProto()
        sequence.ParseFromString(path.read_bytes())
        return numpy_helper.to_list(sequence)
    proto = onnx.TensorProto()
    proto.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(proto)


def foreign(model: Any, name_of: str) -> str:
    """Why a model is none of the float tests; empty for one of them."""
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            return f"a {kind.removesuffix('_type')} as an input or output"
        name = onnx.TensorProto.DataType.Name(value.type.tensor_type.elem_type)
        if name not in OURS:
            return f"element type {name.lower()}"
    for node in model.graph.node:
        if node.op_type in UNSUPPORTED:
            return UNSUPPORTED[node.op_type]
        if node.op_type in RANDOM or ("training_dropout" in name_of and "zero_ratio" not in name_of):
            return RANDOM_NUMBERS
    domains = {each.domain for each in model.opset_import} - {"", "ai.onnx"}
    return f"operators of {', '.join(domains)}" if domains else ""


def run(kind: str, case: Any, model: Any) -> Outcome:
    """One test."""
    outside, name = foreign(model, case.name), case.name
    is_float = kind == "node" and (not outside or outside is RANDOM_NUMBERS)
    try:
        module = OnnxModule(model)
        for inputs, outputs in _data(case, model):
            results = module(*inputs)
            results = results if isinstance(results, tuple) else (results,)
            for mine, wanted in zip(results, outputs, strict=True):
                _compare(mine, wanted, case)
        if outside is RANDOM_NUMBERS:
            return Outcome(kind, name, "unsupported", outside, is_float)
    except OnnxError as error:
        reason = outside or str(error).splitlines()[0]
        return Outcome(kind, name, "unsupported", reason, is_float)
    except Exception as error:
        if outside:
            return Outcome(kind, name, "unsupported", outside, is_float)
        line = traceback.extract_tb(error.__traceback__)[-1]
        reason = (
            f"{type(error).__name__}: {' '.join(str(error).split())[:200]} ({Path(line.filename).name}:{line.lineno})"
        )
        return Outcome(kind, name, "failed", reason, is_float)
    return Outcome(kind, name, "passed", "", is_float)


def _compare(mine: Any, wanted: Any, case: Any) -> None:
    if wanted is None or isinstance(wanted, list):
        assert (mine is None) == (wanted is None) and len(mine or ()) == len(wanted or ())
        for one, other in zip(mine or (), wanted or ()):
            _compare(one, other, case)
        return
    mine = mine.numpy()
    assert mine.dtype == wanted.dtype, f"element type {mine.dtype}, expected {wanted.dtype}"
    assert mine.shape == wanted.shape, f"shape {mine.shape}, expected {wanted.shape}"
    np.testing.assert_allclose(mine, wanted, rtol=max(case.rtol, 1e-3), atol=max(case.atol, 1e-7))


def outcomes(kinds: tuple[str, ...] = KINDS, word: str = "") -> Iterator[Outcome]:
    """The outcomes of all tests whose name has `word` in it."""
    for kind in kinds:
        for case, model in tests(kind):
            if word.lower() in case.name.lower():
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    yield run(kind, case, model)


def main() -> None:
    """All tests, or those of one kind whose name has a word in it."""
    kinds = (sys.argv[1],) if len(sys.argv) > 1 else KINDS
    found = list(outcomes(kinds, sys.argv[2] if len(sys.argv) > 2 else ""))
    for each in found:
        if each.outcome == "failed" or (each.outcome == "unsupported" and each.is_float):
            print(f"{each.outcome:11} {each.name}: {each.reason}")
    print("\nWhy tests are not supported:")
    for reason, count in Counter(each.reason for each in found if each.outcome == "unsupported").most_common():
        print(f"{count:5}  {reason}")
    print()
    for kind in kinds:
        counts = Counter(each.outcome for each in found if each.kind == kind)
        print(f"{kind:18}", ", ".join(f"{counts[name]} {name}" for name in ("passed", "failed", "unsupported")))
    floats = [each.outcome for each in found if each.is_float]
    if floats:
        share = floats.count("passed") / len(floats)
        print(f"float node tests: {floats.count('passed')} of {len(floats)} passed, {100 * share:.1f} %")


if __name__ == "__main__":
    main()
