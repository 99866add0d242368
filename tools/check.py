"""One command that checks everything: format, lint, types, tests (with executed docs and examples).

    python tools/check.py            all of it, as before each landing
    python tools/check.py --fast     without the tests marked slow

Ends with a non-zero status when any step failed; every step runs, so that one look shows all that is wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["src", "tests", "tools", "examples", "benchmarks"]
FOLDERS = [folder for folder in SOURCES if (ROOT / folder).is_dir()]

STEPS = {
    "format": ["ruff", "format", "--check", *FOLDERS],
    "lint": ["ruff", "check", *FOLDERS],
    "types": ["mypy"],
    "tests": ["pytest", "-n", "2", "--dist", "worksteal", "-rs", "-m", "not slow"],
    "slow tests": ["pytest", "-m", "slow"],
}


def run(name: str, command: list[str]) -> bool:
    """Run one step as `python -m ...`; whether it passed. The many processes of tests read what one has compiled."""
    print(f"== {name}: {' '.join(command)}", flush=True)
    start = time.monotonic()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    passed = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, env=environment).returncode == 0
    print(f"== {name}: {'passed' if passed else 'FAILED'} in {time.monotonic() - start:.0f} s\n", flush=True)
    return passed


def main() -> int:
    """Run all steps; the exit status."""
    chosen = [name for name in STEPS if not (name == "slow tests" and "--fast" in sys.argv)]
    failed = [name for name in chosen if not run(name, STEPS[name])]
    print(
        f"{len(chosen) - len(failed)} steps passed, {len(failed)} failed" + (f": {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
