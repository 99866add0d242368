"""scikit-learn's whole `check_estimator` for both estimators with their default settings; takes some minutes.

    SCIPY_ARRAY_API=1 python tests/check_estimators.py

With that variable, pandas and array-api-strict installed, nothing is skipped. Ends with status 1 if anything failed.
"""

from __future__ import annotations

import collections
import sys
import time
import warnings

from sklearn.utils.estimator_checks import check_estimator

from chainrule.interop.sklearn import NetworkClassifier, NetworkRegressor


def main() -> int:
    """Print the counts, and what did not pass; the exit status."""
    warnings.simplefilter("ignore")
    failed = 0
    for estimator in (NetworkClassifier(), NetworkRegressor()):
        start = time.perf_counter()
        results = check_estimator(estimator, on_fail=None, on_skip=None)
        counts = collections.Counter(each["status"] for each in results)
        print(f"{estimator}: {len(results)} checks, {dict(counts)}, {time.perf_counter() - start:.0f} s")
        for each in results:
            if each["status"] != "passed":
                print(f"  {each['check_name']} {each['status']}: {each['exception']!r}")
        failed += counts["failed"] + counts["xfail"]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
