"""What happens to acknowledged events when parts of the product are killed, starved or lied to.

Everything is real: a PostgreSQL of the tests' own with fsync on, Valkey, granian, the Celery worker and beat, started as the
launcher starts them over a temporary DATA_DIR, and clients that send every event until it is acknowledged. After each fault
the acknowledged events must all be stored exactly once, the rollups must hold them, and `verify` must find no drift.

FAULT_EVENTS is about how many events all scenarios send together, re-sent ones not counted: 200,000 unless set;
`FAULT_EVENTS=1000000 make test PYTEST_ARGS="-m faults"` is the full proof.
"""
