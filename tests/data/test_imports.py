import subprocess
import sys

PROGRAM = """
import sys, chainrule.data
later = ("csv", "PIL", "pyarrow", "zipfile", "pandas", "chainrule.data.table", "chainrule.data.augment")
heavy = [name for name in later if name in sys.modules]
assert not heavy, heavy
assert set(chainrule.data.__all__) <= set(dir(chainrule.data))
for name in chainrule.data.__all__:
    assert getattr(chainrule.data, name).__module__.startswith("chainrule.data"), name
assert not [name for name in ("csv", "PIL", "pyarrow") if name in sys.modules]
assert callable(chainrule.data.digits) and callable(chainrule.data.batches) and callable(chainrule.data.split)
"""


def test_optional_and_slow_modules_come_when_used() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
