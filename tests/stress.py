"""Compiled functions in hard circumstances: few cores, many Python threads, forks, signals, every way to end a process.

`python tests/stress.py --times 20` runs each scenario so often, in processes of its own, and names those that fail:
by a wrong answer, a crash, a word on the standard error output, or by not ending within five minutes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass

PRELUDE = """
import atexit, hashlib, multiprocessing, os, random, signal, sys, threading, time, warnings
BEFORE_IMPORT
import numpy as np
import chainrule as cr
from chainrule import nn, optim
from chainrule.compiler.machine import cache
from chainrule.compiler.planning import program
from chainrule.compiler.running import entry

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us in the background had it ignored
warnings.simplefilter("ignore")  # of fork beside threads, which is what is tried, and of compiling again
entry.PARALLEL_COST = program.SERIAL_COST = 0
random = np.random.default_rng(0)
X = random.standard_normal((200, 8)).astype("f")
Y = random.standard_normal((200, 1)).astype("f")


class Training:
    def __init__(self, threads=4, width=24):
        cr.random.manual_seed(3)
        self.count = cr.tensor(np.array(0))
        self.model = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 1))
        self.optimizer = optim.Adam(self.model.parameters(), lr=0.01)
        self.step = cr.compile(self.plain, threads=threads)

    def plain(self, inputs, targets):
        loss = nn.functional.mse_loss(self.model(inputs), targets)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.count.assign(self.count + 1)
        return loss

    def epochs(self, number=1):
        for _ in range(number):
            self.step.epoch(X, Y, batch_size=5)

    def steps(self, number):
        done = 0
        while done < number:
            rows = np.arange(200)[: 5 * min(40, number - done)]
            self.step.epoch(X, Y, batch_size=5, order=rows)
            done += len(rows) // 5

    def hash(self):
        state = self.model.state_dict()
        return hashlib.sha256(b"".join(np.ascontiguousarray(each).tobytes() for each in state.values())).hexdigest()


def forever(training):
    return threading.Thread(target=training.epochs, args=(10**9,), daemon=True)


def after(steps):
    fresh = Training()
    fresh.steps(steps)
    return fresh.hash()


expected = after(40)
"""


@dataclass(frozen=True)
class Scenario:
    """A program behind PRELUDE, with what it returns and the last line it prints; before: what it does before that."""

    program: str
    status: int = 0
    last: str = ""
    before: str = ""
    complains: bool = False


SCENARIOS = {
    "it ends by sys.exit while a thread runs an epoch": Scenario(
        "training = Training()\nforever(training).start()\ntime.sleep(random.random() / 5)\nsys.exit(3)", 3
    ),
    "it ends by an error while threads run epochs of several functions": Scenario(
        "for _ in range(3):\n    forever(Training()).start()\n"
        "time.sleep(random.random() / 5)\nraise ValueError('ours')",
        1,
        complains=True,
    ),
    "it ends by os._exit": Scenario("forever(Training()).start()\ntime.sleep(random.random() / 5)\nos._exit(4)", 4),
    "it ends in mid-epoch of the main thread, by a thread's os._exit": Scenario(
        "threading.Timer(random.random() / 5, os._exit, (6,)).start()\nTraining().epochs(10**9)", 6
    ),
    "a thread ends by sys.exit while another runs an epoch": Scenario(
        "training, other = Training(), Training()\n"
        "def leave():\n    other.epochs(2)\n    sys.exit(1)\n"
        "threading.Thread(target=leave).start()\ntraining.epochs(1)\nprint(training.hash() == expected)",
        last="True",
    ),
    "threads that are no daemons finish after the main thread": Scenario(
        "training = Training()\n"
        "def work():\n    training.epochs(1)\n    print(training.hash() == expected)\n"
        "threading.Thread(target=work).start()",
        last="True",
    ),
    "a function is called as the interpreter ends": Scenario(
        "training = Training()\ntraining.epochs(1)\natexit.register(lambda: print(float(training.step(X, Y)) > 0))",
        last="True",
    ),
    "a function is called after its threads have ended": Scenario(
        "training = Training()\ntraining.epochs(1)\nlast.append(lambda: print(float(training.step(X, Y)) > 0))",
        last="True",
        before="last = []\natexit.register(lambda: last[0]())",
    ),
    "a function is compiled as the interpreter ends": Scenario(
        "atexit.register(lambda: print(float(Training().step(X, Y)) > 0))", last="True"
    ),
    "it is killed in mid-epoch": Scenario(
        "threading.Timer(random.random() / 5, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "Training().epochs(10**9)",
        -15,
    ),
    "Ctrl-C in mid-epoch leaves whole steps, and training goes on": Scenario(
        "training = Training()\n"
        "timer = threading.Timer(random.random() / 5, os.kill, (os.getpid(), signal.SIGINT))\n"
        "try:\n    timer.start()\n    training.epochs(10**9)\nexcept KeyboardInterrupt:\n    pass\n"
        "done = int(training.count)\n"
        "first = training.hash() == after(done)\n"
        "training.steps(40)\n"
        "print(first, training.hash() == after(done + 40), int(training.count) == done + 40)",
        last="True True True",
    ),
    "Ctrl-C in a loop of calls leaves whole steps": Scenario(
        "training = Training()\n"
        "timer = threading.Timer(random.random() / 5, os.kill, (os.getpid(), signal.SIGINT))\n"
        "try:\n    timer.start()\n    while True:\n        training.step(X[:5], Y[:5])\n"
        "except KeyboardInterrupt:\n    pass\n"
        "done, fresh = int(training.count), Training()\n"
        "for _ in range(done):\n    fresh.step(X[:5], Y[:5])\n"
        "print(training.hash() == fresh.hash())",
        last="True",
    ),
    "a child forked in mid-epoch trains by itself": Scenario(
        "training = Training()\ntraining.epochs(1)\nforever(training).start()\ntime.sleep(random.random() / 5)\n"
        "child = os.fork()\n"
        "if not child:\n    os._exit(0 if after(40) == expected else 1)\n"
        "print(os.waitpid(child, 0)[1], after(40) == expected)",
        last="0 True",
    ),
    "a child forked while another thread compiles compiles too": Scenario(
        "def compiles():\n    for width in range(2, 60):\n        Training(width=width).step(X, Y)\n"
        "cache.set_directory(None)\n"
        "threading.Thread(target=compiles, daemon=True).start()\ntime.sleep(random.random() / 3)\n"
        "child = os.fork()\n"
        "if not child:\n    Training(threads=1, width=61).epochs(1)\n    os._exit(0)\n"
        "print(os.waitpid(child, 0)[1])",
        last="0",
    ),
    "children of a multiprocessing pool": Scenario(
        "def work(number):\n    return after(40) == expected\n"
        "training = Training()\ntraining.epochs(1)\n"
        "with multiprocessing.get_context('fork').Pool(3) as pool:\n    print(all(pool.map(work, range(6))))",
        last="True",
    ),
    "a child goes on with the parent's function": Scenario(
        "training, expected = Training(), after(80)\ntraining.steps(40)\nchild = os.fork()\n"
        "training.steps(40)\n"
        "if not child:\n    sys.exit(0 if training.hash() == expected else 1)\n"
        "print(os.waitpid(child, 0)[1], training.hash() == expected)",
        last="0 True",
    ),
    "eight threads on few cores": Scenario(
        "if hasattr(os, 'sched_setaffinity'):\n    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:2])\n"
        "found = [Training(threads) for threads in (8, 1, 3, 8)]\n"
        "workers = [threading.Thread(target=each.epochs) for each in found]\n"
        "for each in workers:\n    each.start()\nfor each in workers:\n    each.join()\n"
        "print({each.hash() for each in found} == {expected})",
        last="True",
    ),
    "eight threads on one core": Scenario(
        "if hasattr(os, 'sched_setaffinity'):\n    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])\n"
        "training = Training(8)\ntraining.epochs(1)\nprint(training.hash() == expected)",
        last="True",
    ),
    "threads call the same function": Scenario(
        "training = Training()\n"
        "def work():\n    for _ in range(5):\n        training.steps(7)\n        training.step(X[:5], Y[:5])\n"
        "workers = [threading.Thread(target=work) for _ in range(6)]\n"
        "for each in workers:\n    each.start()\nfor each in workers:\n    each.join()\n"
        "print(int(training.count))",
        last="240",
    ),
    "threads call different functions, with new shapes": Scenario(
        "answers = []\n"
        "def work(training):\n"
        "    training.epochs(1)\n"
        "    answers.append(training.hash() == expected)\n"
        "    for rows in range(1, 4):\n        training.step(X[:rows], Y[:rows])\n"
        "workers = [threading.Thread(target=work, args=(Training(1 + n % 3),)) for n in range(4)]\n"
        "for each in workers:\n    each.start()\nfor each in workers:\n    each.join()\n"
        "print(answers == [True] * 4)",
        last="True",
    ),
    "threads train the same weights by functions of their own": Scenario(
        # Nothing is promised of the weights but that they are there: who wants whole steps calls one function.
        "sys.setswitchinterval(1e-5)\n"
        "training, seen = Training(2), []\n"
        "model, weight = training.model, training.model[0].weight\n"
        "def plain(x, y):\n    loss = nn.functional.mse_loss(model(x), y)\n    loss.backward()\n    return loss\n"
        "gathers, again = cr.compile(plain, threads=1), cr.compile(lambda x, y: training.plain(x, y), threads=2)\n"
        "total = cr.compile(lambda x: model(x).sum(), threads=2)\n"
        "tasks = [lambda: training.epochs(1), lambda: again(X[:5], Y[:5]), lambda: gathers(X[:5], Y[:5]),\n"
        "         lambda: total(X), training.optimizer.zero_grad, model.state_dict,\n"
        "         lambda: weight.assign(weight.numpy() * 0.99), lambda: plain(cr.tensor(X[:5]), cr.tensor(Y[:5])),\n"
        "         lambda: again(*(each[: 2 + len(seen)] for each in (X, Y)))]\n"
        "def work(task):\n    for _ in range(60):\n        task()\n    seen.append(task)\n"
        "workers = [threading.Thread(target=work, args=(task,)) for task in tasks]\n"
        "for each in workers:\n    each.start()\nfor each in workers:\n    each.join()\n"
        "print(len(seen) == len(tasks), training.count.numpy() > 0)",
        last="True True",
    ),
    "one trains while others look on": Scenario(
        # What was held before a run keeps what it saw; a view taken during one may change, as the run goes on in place.
        "training = Training()\n"
        "view = training.model[0].weight.numpy()\nseen = view.copy()\n"
        "total = cr.compile(lambda x: training.model(x).sum(), threads=2)\n"
        "def looks():\n"
        "    for _ in range(200):\n"
        "        training.model[0].weight.numpy().copy()\n        total(X)\n"
        "workers = [threading.Thread(target=looks) for _ in range(2)]\n"
        "for each in workers:\n    each.start()\n"
        "training.epochs(1)\n"
        "for each in workers:\n    each.join()\n"
        "print(training.hash() == expected, np.array_equal(view, seen))",
        last="True True",
    ),
}


def run(scenario: Scenario, seconds: float = 300.0) -> str:
    """What went wrong, or nothing."""
    seed = f"random = np.random.default_rng({os.getpid() + time.monotonic_ns()})\n"
    text = PRELUDE.replace("BEFORE_IMPORT", scenario.before) + seed + scenario.program + "\n"
    try:
        done = subprocess.run([sys.executable, "-c", text], timeout=seconds, capture_output=True, text=True)
    except subprocess.TimeoutExpired as expired:
        return f"it did not end within {seconds:.0f} s: {(expired.stderr or b'')[-300:]!r}"
    if done.returncode != scenario.status:
        return f"it returned {done.returncode}: {done.stderr[-600:]}"
    if bool(done.stderr) != scenario.complains:
        return f"it said: {done.stderr[-600:]}"
    last = (done.stdout.splitlines() or [""])[-1]
    return "" if last == scenario.last else f"it printed {last!r} in place of {scenario.last!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="runs of each scenario (default: 20)")
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    options = parser.parse_args()
    failed = 0
    for name, scenario in SCENARIOS.items():
        if options.only not in name:
            continue
        problems = [problem for _ in range(options.times) if (problem := run(scenario))]
        failed += bool(problems)
        print(f"{options.times - len(problems):4} of {options.times}  {name}", flush=True)
        if problems:
            print(f"      {problems[0]}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
