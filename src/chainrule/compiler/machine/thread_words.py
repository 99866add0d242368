"""Where what threads tell one another lies: words of a block of memory, and the numbers that mean something there."""

from __future__ import annotations

LINE = 8  # words in a cache line: what different threads write lies in different lines
(JOB, RUNNING, STOP, SLEEPERS, COUNT, GENERATION) = (LINE * number for number in range(6))
STARTED, FIRST = STOP + 1, STOP + 2
(FUNCTION, CONTEXT, THREADS, YIELD, SYSTEM_CALL, NAP) = (LINE * 6 + number for number in range(6))
BLOCK_WORDS = LINE * 8
SPINS_BEFORE_SLEEP = 20_000
SPINS_BEFORE_YIELD = 256
FUTEX = {"x86_64": 202, "aarch64": 98}
WAIT, WAKE = 128, 129  # private futex operations
EVERYONE = 2**30
ONE_JOB = 1 << 16
"""A job's number times this, and the number of its threads below: who reads the one knows the other."""
