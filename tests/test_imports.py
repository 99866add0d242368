"""What `import chainrule` loads, and what comes when it is first used."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import chainrule as cr
later = {"chainrule.data", "chainrule.finite", "chainrule.interop", "chainrule.per_sample", "chainrule.train"}
heavy = {"json", "llvmlite", "tempfile", "urllib"} - with_numpy | later
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert set(cr.__all__) <= set(dir(cr))
for name in cr.__all__:
    assert getattr(cr, name) is getattr(cr, name), name
    assert name in dir(cr), name
from chainrule import check_gradients, data, train
assert later <= set(sys.modules)
assert train.fit is cr.train.fit and data is sys.modules["chainrule.data"]
assert not hasattr(cr, "nothing")
"""


def test_what_a_program_may_not_need_comes_when_it_is_used() -> None:
    program = f"import sys, numpy\nwith_numpy = set(sys.modules)\n{PROGRAM}"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
