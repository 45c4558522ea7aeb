# ruff: noqa: INP001
"""On PYTHONPATH, this shifts the clock of a Python process by FAULT_CLOCK_HOURS from its first moment on."""

import os
from datetime import UTC, datetime, timedelta

import time_machine

time_machine.travel(datetime.now(UTC) + timedelta(hours=float(os.environ["FAULT_CLOCK_HOURS"])), tick=True).start()
