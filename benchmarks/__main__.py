"""`python -m benchmarks [--quick] [figures…]`: prints a table and writes benchmarks/results.json.

Everything runs on servers of its own in a temporary directory. Django's settings follow from DATA_DIR, so that is
chosen here, before anything reads them.
"""

import importlib
import os
import sys
import tempfile
from pathlib import Path

import django

OPERATORS_OWN = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEMO", "DEBUG")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="usage-dashboard-bench-") as directory:
        for name in OPERATORS_OWN:
            os.environ.pop(name, None)
        os.environ["DATA_DIR"] = str(Path(directory).resolve())
        os.environ["DJANGO_SETTINGS_MODULE"] = "usage_dashboard.settings"
        os.environ["ATTRIBUTE_VALUES_PER_MONTH"] = "20000"  # an end customer is one, and there are 10,000
        django.setup()
        return int(importlib.import_module("benchmarks.run").main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
