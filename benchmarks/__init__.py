"""The figures of “Speed” in the architecture, each measured beside its limit in the same run. See README.md."""
