"""Random graphs with gradients, native code against the NumPy reference.

`python tests/fuzz_compiled.py --examples 10000 --seed 0` prints the numbers of the programs that fail, and why.
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
from tests.compiler.random_graphs import graph_of, program


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="how many programs (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first program (default: 0)")
    parser.add_argument("--length", type=int, default=8, help="steps of a program, at most (default: 8)")
    parser.add_argument("--show", action="store_true", help="print each graph")
    options = parser.parse_args()
    start = time.monotonic()
    seeds = range(options.seed, options.seed + options.examples)
    failed = [seed for seed in seeds if fails(seed, options.length, options.show)]
    seconds = time.monotonic() - start
    held = options.examples - len(failed)
    print(f"{held} of {options.examples} programs agree, in {seconds:.0f} s; failed: {failed or 'none'}")
    return 1 if failed else 0


def fails(seed: int, length: int, show: bool = False) -> bool:
    try:
        with np.errstate(all="ignore"):
            chosen = program(seed, length)
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
