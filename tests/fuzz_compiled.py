"""Random graphs with gradients, native code against the NumPy reference.

`python tests/fuzz_compiled.py --examples 10000 --seed 0` prints the numbers of the programs that fail, and why.
With `--large` every array counts as large, and parts of the programs are computed again as under a limit on memory: so
small programs go the ways of large ones. With `--wide` the arrays are of up to 8,000 elements rather than 400.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ["CHAINRULE_CACHE_DIR"] = ""  # no program comes twice

import numpy as np
from tests.compiler.agreement import check
from tests.compiler.random_graphs import KIND, WIDE_KIND, graph_of, program
from tests.test_random_programs import Kind

from chainrule.compiler import stages
from chainrule.compiler.job import Job
from chainrule.compiler.machine import pieces
from chainrule.compiler.planning import buffers, chains, compute_again, repeat
from chainrule.compiler.products import epilogue
from chainrule.compiler.rewrites import known_sums, rematerialise, split
from chainrule.compiler.steps import tiny
from chainrule.ir.graph import Graph

LIMITS = {
    (buffers, "MUCH"): 0,
    (chains, "LARGE"): 1,
    (chains, "LEAST_PART"): 1,
    (chains, "FEWEST"): 1,
    (compute_again, "LARGE"): 1,
    (compute_again, "LONG"): 1,
    (epilogue, "LEAST_BYTES"): 1,
    (known_sums, "LARGE"): 1,
    (pieces, "LEAST"): 4000,
    (rematerialise, "SHORT"): 1,
    (repeat, "LARGE"): 1,
    (split, "LARGE"): 1,
    (stages, "PARALLEL_COST"): 0,
    (tiny, "MOST_COST"): -1,
}
"""Where being large begins, and where it does in a run with `--large`."""


def take_as_large() -> None:
    """What is said in the compiler about small arrays no longer holds."""
    for (module, name), value in LIMITS.items():
        assert hasattr(module, name)
        setattr(module, name, value)
    stages._small_enough = computed_again


def computed_again(graph: Graph, job: Job) -> Graph:
    """The graph with all of its forward pass computed again, but for what its segments hand on."""
    forward = rematerialise.Forward(graph, 2 + len(graph.equations) % 3)
    return forward.again(forward.segments[:-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="how many programs (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first program (default: 0)")
    parser.add_argument("--length", type=int, default=8, help="steps of a program, at most (default: 8)")
    parser.add_argument("--show", action="store_true", help="print each graph")
    parser.add_argument("--large", action="store_true", help="take every array as large")
    parser.add_argument("--wide", action="store_true", help="arrays of up to 8,000 elements")
    options = parser.parse_args()
    if options.large:
        take_as_large()
    start = time.monotonic()
    seeds = range(options.seed, options.seed + options.examples)
    kind = WIDE_KIND if options.wide else KIND
    failed = [seed for seed in seeds if fails(seed, options.length, options.show, kind)]
    seconds = time.monotonic() - start
    held = options.examples - len(failed)
    print(f"{held} of {options.examples} programs agree, in {seconds:.0f} s; failed: {failed or 'none'}")
    return 1 if failed else 0


def fails(seed: int, length: int, show: bool = False, kind: Kind = KIND) -> bool:
    try:
        with np.errstate(all="ignore"):
            chosen = program(seed, length, kind)
            graph, in_place = graph_of(chosen)
            if show:
                print(graph)
            check(graph, chosen.inputs, in_place if seed % 2 else None, threads=2 + seed % 3)
    except Exception:
        print(f"--- seed {seed}")
        traceback.print_exc(limit=-3, file=sys.stdout)
        sys.stdout.flush()
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
