"""What every test can ask for; the order matters: the servers choose DATA_DIR before the settings are read."""

pytest_plugins = (
    "tests.machines.collector",
    "tests.machines.servers",
    "tests.machines.cluster",
    "tests.fixtures",
    "tests.machines.memories",
)
