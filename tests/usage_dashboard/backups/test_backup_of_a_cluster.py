"""`backup` and `restore` say no to a cluster, whose servers are backed up one by one; `make test-citus` has one."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from metering.cluster import state

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_file_is_made_of_one_postgresql_and_of_no_cluster(tmp_path: Path) -> None:
    file = tmp_path / "usage.backup"
    if state.is_distributed():
        for command in ("backup", "restore"):
            with pytest.raises(CommandError, match=r"(?s)Citus cluster.*every server"):
                call_command(command, str(file))
        assert not list(tmp_path.iterdir())
    else:
        call_command("backup", str(file))
        assert file.stat().st_size > 0
