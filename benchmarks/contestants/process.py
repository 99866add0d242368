"""A contestant seen from outside: a child process that is asked, with a time limit for each answer."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]


class ContestantError(Exception):
    """It failed, ended or took too long."""


@dataclass
class Child:
    """One contestant at one workload. Caches on disk are empty, so that its first step is cold.

    kept: a folder for them that stays, instead.
    """

    name: str
    workload: str
    threads: int
    cpus: list[int]
    python: str = sys.executable
    limit: float = 600.0
    verbose: bool = False
    kept: Path | None = None
    process: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.caches = tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True)
        command = [self.python, "-m", "contestants.child", self.name, self.workload]
        command += ["--threads", str(self.threads), "--cpus", ",".join(map(str, self.cpus))]
        self.errors = (Path(self.caches.name) / "errors").open("w+")
        folder = self.kept / self.name / self.workload if self.kept else Path(self.caches.name)
        folder.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if self.verbose else self.errors,
            text=True,
            env=environment(self.threads, str(folder.resolve())),
        )

    def ask(self, request: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send a request (None: only wait for what it says) and give the answer."""
        assert self.process.stdin and self.process.stdout
        if request is not None:
            self._send(request)
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(self.limit):
                raise ContestantError(f"no answer within {self.limit:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise ContestantError(f"ended with {self.process.wait()}: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise ContestantError(answer["failed"])
        return answer

    def _send(self, request: dict[str, Any]) -> None:
        assert self.process.stdin
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise ContestantError(f"ended: {self._last_words()}") from error

    def _last_words(self) -> str:
        self.errors.flush()
        return Path(self.errors.name).read_text(errors="replace")[-300:].strip()

    def end(self) -> None:
        """Stop it and remove its caches."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()
        self.caches.cleanup()


def environment(threads: int, caches: str) -> dict[str, str]:
    """Threads of every library, and directories for what is compiled."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CHAINRULE_NUM_THREADS")
    pooled = "false" if threads == 1 else "true"
    paths = [str(BENCHMARKS), str(BENCHMARKS.parent / "src"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        **dict.fromkeys(names, count),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={pooled} intra_op_parallelism_threads={count}",
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "CUDA_VISIBLE_DEVICES": "",
        "XDG_CACHE_HOME": caches,
        "TORCHINDUCTOR_CACHE_DIR": f"{caches}/inductor",
        "PYTHONDONTWRITEBYTECODE": "",  # what is installed has its bytecode, so the source tree shall have it too
    }
