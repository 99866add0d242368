"""Random programs, as many as wanted: `python tests/fuzz.py --examples 10000 --seed 0`. Prints seeds that fail."""

from __future__ import annotations

import argparse
import random
import sys
import traceback

import numpy as np

from test_random_programs import check_derivatives, check_trace, random_program


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="how many programs (default: 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first program (default: 0)")
    parser.add_argument("--length", type=int, default=8, help="steps of a program, at most (default: 8)")
    options = parser.parse_args()
    failed = [seed for seed in range(options.seed, options.seed + options.examples) if _fails(seed, options.length)]
    print(f"{options.examples - len(failed)} of {options.examples} programs hold; failed: {failed or 'none'}")
    return 1 if failed else 0


def _fails(seed: int, length: int) -> bool:
    try:
        with np.errstate(all="ignore"):
            check_trace(random_program(random.Random(seed), length=length))
            check_derivatives(random_program(random.Random(seed), ("float64",), length), seed)
    except Exception:
        print(f"--- seed {seed}")
        traceback.print_exc(file=sys.stdout)
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
