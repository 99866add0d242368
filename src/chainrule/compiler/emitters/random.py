"""Random bits: Philox4x32-10 as in ops/philox.py, a vector of blocks at once."""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.philox import KEY_STEPS, MULTIPLIERS, ROUNDS
from ..machine.runtime import processor
from ..text.array import Array
from ..text.emit import Function, Reg, const, vector_of, word
from ..text.lanes import shuffled
from .copy import unravelled
from .kernel import Kernel, Lowering, Params, Types

WORDS = 4
LOW_WORD = 0xFFFFFFFF
BLOCKS_OF_TASK = 512


def _block_count(size: int) -> int:
    return -(-size // WORDS)


def _tasks(inputs: Types, outputs: Types, params: Params) -> int:
    return -(-_block_count(outputs[0].size) // BLOCKS_OF_TASK)


def _random_bits(kernel: Kernel) -> None:
    f, (state,), target = kernel.f, kernel.inputs, kernel.outputs[0]
    keys = [f.convert("zext", state.load(f, [place]), "i64") for place in range(WORDS)]
    lanes = 2 * processor().lanes(8)
    with kernel.each_task() as task:
        first = f.times(task, BLOCKS_OF_TASK)
        last = f.minimum(f.add(first, BLOCKS_OF_TASK), word(_block_count(target.size)))
        with f.loop(first, last, lanes) as loop:
            words = _philox(f, _counters(f, loop.index, keys, lanes), keys)
            _store(f, target, f.times(loop.index, WORDS), _interleaved(f, words))


def _counters(f: Function, block: Reg, keys: Sequence[Reg], lanes: int) -> list[Reg]:
    type = vector_of("i64", lanes)
    numbers = Reg(type, "<" + ", ".join(f"i64 {lane}" for lane in range(lanes)) + ">")
    block = f.binary("add", f.splat(block, lanes), numbers)
    low, high = f.binary("and", block, const(type, LOW_WORD)), f.binary("lshr", block, const(type, 32))
    return [low, high, f.splat(keys[2], lanes), f.splat(keys[3], lanes)]


def _philox(f: Function, counters: Sequence[Reg], keys: Sequence[Reg]) -> list[Reg]:
    """Ten rounds over words of 32 bits held in 64."""
    first, second, third, fourth = counters
    type, lanes = first.type, first.lanes
    low_mask, shift = const(type, LOW_WORD), const(type, 32)
    for turn in range(ROUNDS):
        left = f.binary("mul", const(type, int(MULTIPLIERS[0])), first)
        right = f.binary("mul", const(type, int(MULTIPLIERS[1])), third)
        low_key, high_key = (_key(f, keys[place], KEY_STEPS[place] * turn, lanes) for place in (0, 1))
        first = f.binary("xor", f.binary("xor", f.binary("lshr", right, shift), second), low_key)
        third = f.binary("xor", f.binary("xor", f.binary("lshr", left, shift), fourth), high_key)
        second, fourth = f.binary("and", right, low_mask), f.binary("and", left, low_mask)
    return [first, second, third, fourth]


def _key(f: Function, key: Reg, step: int, lanes: int) -> Reg:
    stepped = f.binary("and", f.binary("add", key, word(step & LOW_WORD)), word(LOW_WORD))
    return f.splat(stepped, lanes)


def _interleaved(f: Function, words: Sequence[Reg]) -> Reg:
    """The four words of the first block, those of the second ..., as uint32."""
    narrow = [f.convert("trunc", each, "i32") for each in words]
    lanes = narrow[0].lanes
    halves = [shuffled(f, narrow[place], narrow[place + 1], range(2 * lanes)) for place in (0, 2)]
    order = [place * lanes + lane for lane in range(lanes) for place in range(WORDS)]
    return shuffled(f, halves[0], halves[1], order)


def _store(f: Function, target: Array, first: Reg, words: Reg) -> None:
    """All of them in one piece where the output goes on, else those that exist one by one."""
    count = words.lanes
    fits = f.compare("icmp sle", f.add(first, count), word(target.size))
    if target.is_dense:
        with f.when(fits):
            f.store(words, f.at(target.pointer, "i32", first))
        rest = f.binary("xor", fits, const("i1", 1))
        if target.size % count:
            with f.when(rest):
                _store_each(f, target, first, words)
    else:
        _store_each(f, target, first, words)


def _store_each(f: Function, target: Array, first: Reg, words: Reg) -> None:
    for lane in range(words.lanes):
        number = f.add(first, lane)
        with f.when(f.compare("icmp slt", number, word(target.size))):
            target.store(f, unravelled(f, number, target.shape), f.extract(words, lane))


RANDOM = {"random_bits": Lowering(_tasks, _random_bits)}
