"""`manage.py distribute`: what goes to the nodes of a cluster, what stays, and when it says no.

The suite runs on one PostgreSQL and, with CITUS_URL, on a cluster whose test database this very command's steps have made.
"""

import io

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models

from metering.cluster import distribution, state
from metering.measures import MEASURES
from metering.models import OrganizationDailyUsage, UsageEvent
from metering.rollups import deltas
from metering.rollups.tables import DISTRIBUTED, HOURLY

COLOCATIONS_SQL = "SELECT logicalrelid::text, colocationid FROM pg_dist_partition WHERE partmethod = 'h'"


def test_every_table_that_grows_with_usage_goes_to_the_nodes_but_the_days_that_costs_follow_from() -> None:
    growing = {
        model._meta.db_table
        for model in apps.get_app_config("metering").get_models()
        if isinstance(model._meta.pk, models.CompositePrimaryKey) and model._meta.pk.field_names[0] == "organization_id"
    }
    assert growing == {*DISTRIBUTED, UsageEvent._meta.db_table, OrganizationDailyUsage._meta.db_table}
    assert UsageEvent._meta.db_table == state.EVENTS


def test_the_tables_of_a_run_have_a_type_for_every_column() -> None:
    for key in deltas.CLUSTER_TABLES.values():
        columns = key.split(", ")
        assert columns[0] == "organization_id"
        assert set(columns) <= set(deltas.TYPES)


@pytest.mark.django_db
def test_it_says_why_it_cannot_or_that_nothing_is_left_to_do() -> None:
    out = io.StringIO()
    if state.is_distributed():
        call_command("distribute", stdout=out)
        assert "nothing is left to do" in out.getvalue()
    else:
        with pytest.raises(CommandError, match="has no extension “citus”"):
            call_command("distribute", "--apply", stdout=out)
        assert not out.getvalue()


@pytest.mark.django_db
def test_what_is_of_one_organization_lies_on_one_node() -> None:
    if not state.is_distributed():
        with pytest.raises(distribution.NotPossibleError):
            distribution.check()
        return
    with connection.cursor() as cursor:
        cursor.execute(COLOCATIONS_SQL)
        found = dict(cursor.fetchall())
    wanted = {*DISTRIBUTED, *deltas.CLUSTER_TABLES, state.EVENTS}
    assert wanted <= set(found)
    assert {found[table] for table in wanted} == {found[HOURLY.table]}


@pytest.mark.django_db
def test_what_an_upgrade_has_changed_is_distributed_again() -> None:
    """A table of a run without a measure of today, and the values of combinations in a new table that is not copied yet."""
    out = io.StringIO()
    if not state.is_distributed():
        with pytest.raises(CommandError):
            call_command("distribute", stdout=out)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE hourly_delta DROP COLUMN {MEASURES[-1]}")
        cursor.execute(f"DROP TRIGGER copy_to_nodes ON {state.PARTS}")
    call_command("distribute", "--apply", stdout=out)
    assert [words.partition(":")[0] for words in out.getvalue().splitlines()[:-1]] == [state.PARTS, "hourly_delta"]
    assert not list(distribution.steps())
