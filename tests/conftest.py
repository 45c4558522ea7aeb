"""What every test can ask for; the order matters: the servers choose DATA_DIR before the settings are read."""

pytest_plugins = ("tests.servers", "tests.cluster", "tests.fixtures", "tests.memories")
