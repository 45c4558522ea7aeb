"""The Activity export: columns, rows, sums, harmless cells, and who may have it."""

import csv
import io
import itertools
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, connection
from django.http import StreamingHttpResponse
from django.test import Client

from accounts.models import User
from accounts.periods import Period
from apikeys.keys import keys
from apikeys.models import APIKey
from billing.models import LineItem
from exports.activity import activity_rows
from exports.columns import CSV, INCOMPLETE, ROWS_AT_A_TIME, Column, Kind, chunks, each_ahead
from metering.measures import MEASURES, ServiceTier, UsageType
from metering.models import DailyUsage, Sku
from metering.usage.queries import UsageQuery
from tests.usage.export_skus import make_sku
from tests.usage.rollup_rows import add_cost, add_usage
from tests.world import World
from usage_dashboard.machine.processes import wait_until

SignIn = Callable[[User], Client]
EXPORT = "/settings/organization/acme/usage/activity/export.csv"
OCTOBER = f"{EXPORT}?month=2026-10"
DAY = date(2026, 10, 14)
TOLD_LATER = (
    *("n_cache_write_long_context_tokens_total", "n_audio_context_tokens_total", "n_image_context_tokens_total"),
    *("n_video_context_tokens_total", "n_audio_generated_tokens_total", "n_image_generated_tokens_total"),
    "n_reasoning_generated_tokens_total",
)
HEADER = (
    "operation,n_context_tokens_total,n_generated_tokens_total,api_key_id,api_key_name,api_key_redacted,usage_type,model,"
    "timestamp,user,num_requests,date,organization_id,organization_name,user_id,user_email,service_tier,batch,"
    "n_cached_context_tokens_total,n_cache_write_context_tokens_total,num_images,num_seconds,num_characters,num_sessions,"
    f"usage_bytes,cost_in_major,{','.join(TOLD_LATER)},provider,project_id,project_name,attributes"
)


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    assert isinstance(answer, StreamingHttpResponse)
    return b"".join(answer).decode()


def rows(client: Client, address: str = OCTOBER) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body(client, address), newline="")))


def make_key(user: User, name: str = "Laptop") -> APIKey:
    api_key, _ = keys.create_api_key(user=user, name=name, created_at=datetime(2026, 1, 1, tzinfo=UTC))
    return api_key


@pytest.fixture
def sku(world: World) -> Sku:
    return make_sku()


def test_a_month_without_usage_is_the_header_alone(world: World, client_of: SignIn) -> None:
    assert body(client_of(world.alice), OCTOBER) == HEADER + "\r\n"


def test_the_file_is_named_after_its_days_and_is_not_kept(world: World, client_of: SignIn) -> None:
    answer = client_of(world.alice).get(OCTOBER)
    assert answer["Content-Disposition"] == 'attachment; filename="activity-2026-10-01-2026-11-01.csv"'
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Cache-Control"] == "no-store"


def test_a_row_names_everything_beside_its_id(world: World, client_of: SignIn, sku: Sku) -> None:
    api_key = make_key(world.rita)
    add_usage(
        world.acme,
        DAY,
        world.rita,
        api_key,
        sku,
        num_model_requests=3,
        input_tokens=1000,
        input_cached_tokens=400,
        input_cache_write_tokens=100,
        output_tokens=50,
    )
    assert rows(client_of(world.alice)) == [
        {
            "operation": "completions",
            "n_context_tokens_total": "1000",
            "n_generated_tokens_total": "50",
            "api_key_id": api_key.public_id,
            "api_key_name": "Laptop",
            "api_key_redacted": api_key.redacted,
            "usage_type": "text",
            "model": "gpt-4o",
            "timestamp": str(int(datetime(2026, 10, 14, tzinfo=UTC).timestamp())),
            "user": "Rita Rao",
            "num_requests": "3",
            "date": "2026-10-14",
            "organization_id": world.acme.public_id,
            "organization_name": "Acme",
            "user_id": world.rita.public_id,
            "user_email": "rita@acme.test",
            "service_tier": "default",
            "batch": "false",
            "n_cached_context_tokens_total": "400",
            "n_cache_write_context_tokens_total": "100",
            "num_images": "0",
            "num_seconds": "0",
            "num_characters": "0",
            "num_sessions": "0",
            "usage_bytes": "0",
            "cost_in_major": "",
            **dict.fromkeys(TOLD_LATER, "0"),
            "provider": "",
            "project_id": "",
            "project_name": "Default project",
            "attributes": "{}",
        }
    ]


def test_untracked_usage_has_empty_key_columns(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=7)
    (row,) = rows(client_of(world.alice))
    assert (row["api_key_id"], row["api_key_name"], row["api_key_redacted"]) == ("", "", "")
    assert row["n_context_tokens_total"] == "7"


def test_a_revoked_key_keeps_its_name(world: World, client_of: SignIn, sku: Sku) -> None:
    api_key = make_key(world.rita)
    add_usage(world.acme, DAY, world.rita, api_key, sku)
    keys.revoke_api_key(api_key=api_key, now=datetime(2026, 11, 1, tzinfo=UTC))
    assert rows(client_of(world.alice))[0]["api_key_name"] == "Laptop"


@pytest.mark.parametrize(
    ("usage_type", "shown"),
    [
        (UsageType.EMBEDDINGS, "text"),
        (UsageType.MODERATIONS, "text"),
        (UsageType.IMAGES, "images"),
        (UsageType.AUDIO_SPEECHES, "audio_speeches"),
        (UsageType.VECTOR_STORES, "vector_stores"),
    ],
)
def test_usage_type_is_text_for_token_models_and_operation_the_usage_type(
    world: World, client_of: SignIn, usage_type: UsageType, shown: str
) -> None:
    add_usage(world.acme, DAY, world.rita, None, make_sku("m", usage_type))
    (row,) = rows(client_of(world.alice))
    assert (row["operation"], row["usage_type"]) == (usage_type.label, shown)


def test_context_bands_are_summed_and_tiers_and_batches_stay_apart(world: World, client_of: SignIn, sku: Sku) -> None:
    for other in (
        sku,
        make_sku(context_band=200_000),
        make_sku(service_tier=ServiceTier.FLEX),
        make_sku(batch=True),
    ):
        add_usage(world.acme, DAY, world.rita, None, other, input_tokens=10)
    found = {(row["service_tier"], row["batch"]): row["n_context_tokens_total"] for row in rows(client_of(world.alice))}
    assert found == {("default", "false"): "20", ("flex", "false"): "10", ("default", "true"): "10"}


def test_the_cost_of_a_row_is_its_own_quantities_at_the_days_unit_prices(
    world: World, client_of: SignIn, sku: Sku
) -> None:
    for user, tokens in ((world.rita, 1000), (world.bob, 3000)):
        add_usage(
            world.acme, DAY, user, None, sku, input_tokens=tokens, input_cached_tokens=tokens // 10, output_tokens=10
        )
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 3600, "0.0000025")
    add_cost((world.acme, DAY, sku), LineItem.CACHED_INPUT, 400, "0.00000125")
    add_cost((world.acme, DAY, sku), LineItem.OUTPUT, 20, "0.00001")
    found = {row["user_email"]: row["cost_in_major"] for row in rows(client_of(world.alice))}
    assert found == {"rita@acme.test": "0.00247500", "bob@acme.test": "0.00722500"}


def test_partly_priced_usage_shows_what_is_priced_and_wholly_unpriced_usage_nothing(
    world: World, client_of: SignIn, sku: Sku
) -> None:
    unknown = make_sku("mystery")
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=100, output_tokens=100)
    add_usage(world.acme, DAY, world.rita, None, unknown, input_tokens=100)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 100, "0.01")
    add_cost((world.acme, DAY, sku), LineItem.OUTPUT, 100, None)
    add_cost((world.acme, DAY, unknown), LineItem.INPUT, 100, None)
    add_cost((world.acme, DAY, unknown), LineItem.OUTPUT, 0, "0.01")
    found = {row["model"]: row["cost_in_major"] for row in rows(client_of(world.alice))}
    assert found == {"gpt-4o": "1.00000000", "mystery": ""}


def test_usage_that_costs_nothing_is_zero_and_not_empty(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=100)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 100, "0")
    assert rows(client_of(world.alice))[0]["cost_in_major"] == "0.00000000"


def test_a_cost_is_never_rounded(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, input_tokens=1)
    add_cost((world.acme, DAY, sku), LineItem.INPUT, 1, "0.000000000001")
    assert rows(client_of(world.alice))[0]["cost_in_major"] == "0.000000000001"


def test_corrections_and_sums_beyond_64_bits_are_exact(world: World, client_of: SignIn, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, None, sku, num_model_requests=-2, input_tokens=2 * (2**63 - 1))
    (row,) = rows(client_of(world.alice))
    assert row["num_requests"] == "-2"
    assert row["n_context_tokens_total"] == "18446744073709551614"


def test_the_end_is_left_out(world: World, client_of: SignIn, sku: Sku) -> None:
    for day in (date(2026, 9, 30), date(2026, 10, 1), date(2026, 10, 31), date(2026, 11, 1)):
        add_usage(world.acme, day, world.rita, None, sku)
    client = client_of(world.alice)
    assert [row["date"] for row in rows(client)] == ["2026-10-01", "2026-10-31"]
    ranged = rows(client, f"{EXPORT}?start=2026-10-31&end=2026-11-01")
    assert [row["date"] for row in ranged] == ["2026-10-31"]


def test_a_parent_exports_its_children_and_a_child_only_itself(world: World, client_of: SignIn, sku: Sku) -> None:
    for organization in (world.acme, world.labs, world.japan, world.other):
        add_usage(organization, DAY, world.rita, None, sku)
    client = client_of(world.alice)
    assert {row["organization_name"] for row in rows(client)} == {"Acme", "Acme Labs", "Acme Japan"}
    narrowed = rows(client, f"{OCTOBER}&organization={world.labs.public_id}")
    assert {row["organization_name"] for row in narrowed} == {"Acme Labs"}
    other = rows(client_of(world.charlie), "/settings/organization/other/usage/activity/export.csv?month=2026-10")
    assert {row["organization_name"] for row in other} == {"Other"}


def test_the_filters_of_the_page_narrow_the_file(world: World, client_of: SignIn, sku: Sku) -> None:
    api_key = make_key(world.rita)
    embeddings = make_sku("small", UsageType.EMBEDDINGS)
    add_usage(world.acme, DAY, world.rita, api_key, sku)
    add_usage(world.acme, DAY, world.rita, None, embeddings)
    add_usage(world.acme, DAY, world.bob, None, sku)
    client = client_of(world.alice)
    for filters, count in (
        ("", 3),
        (f"&user={world.rita.public_id}", 2),
        (f"&user={world.rita.public_id}&user={world.bob.public_id}", 3),
        (f"&api_key={api_key.public_id}", 1),
        ("&api_key=untracked", 2),
        ("&model=small", 1),
        ("&usage_type=completions", 2),
        (f"&user={world.bob.public_id}&group=api_key&rank=tokens&chart=cumulative", 1),
    ):
        assert len(rows(client, OCTOBER + filters)) == count, filters


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")'])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(
    world: World, client_of: SignIn, text: str, sku: Sku
) -> None:
    User.objects.filter(pk=world.rita.pk).update(name=text)
    add_usage(world.acme, DAY, world.rita, make_key(world.rita, text), make_sku(text))
    (row,) = rows(client_of(world.alice))
    assert (row["user"], row["model"], row["api_key_name"]) == ("'" + text,) * 3


@pytest.mark.django_db
@pytest.mark.parametrize("start", ["\t", "\r", "=", "+", "-", "@"])
def test_every_dangerous_start_is_made_harmless(start: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {CSV.cell(Column('text', '%s::text', Kind.TEXT))}", [start + "x"])
        assert cursor.fetchone() == (f'''"'{start}x"''',)


@pytest.mark.parametrize("text", ['say "hi"', "a,b", "ünï ☃ 🔑", "مفتاح", "'quoted'", "100 %", "a=b", "\\1"])
def test_any_other_text_comes_out_as_it_is(world: World, client_of: SignIn, text: str, sku: Sku) -> None:
    add_usage(world.acme, DAY, world.rita, make_key(world.rita, text), sku)
    assert rows(client_of(world.alice))[0]["api_key_name"] == text


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("start=2026-09-01&end=2026-11-01", "at most 60 days; 2026-09-01 through 2026-10-31 are 61"),
        ("start=2026-10-02&end=2026-10-02", "must be after the start"),
        ("start=2026-10-02&end=2026-10-01", "must be after the start"),
        ("start=2026-10-02", "“end” must be a day like 2026-11-01"),
        ("end=2026-10-02", "“start” must be a day like 2026-11-01"),
        ("start=2026-13-01&end=2026-10-02", "“start” must be a day"),
        ("start=2026-W40-1&end=2026-10-02", "“start” must be a day"),
        ("start=20261001&end=2026-10-02", "“start” must be a day"),
        ("start=0001-01-01&end=2026-10-02", "“start” must be a day"),
        ("month=2026-13", "“month” must be a month like 2026-11"),
        ("month=", "“month” must be a month like 2026-11"),
        ("month=%00", "“month” must be a month like 2026-11"),
        ("month=2026-10&model=unknown", "no such usage was found"),
        ("month=2026-10&api_key=key_unknown", "no such usage was found"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_sentence(
    world: World, client_of: SignIn, asked: str, sentence: str
) -> None:
    answer = client_of(world.alice).get(f"{EXPORT}?{asked}")
    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_sixty_days_are_exported(world: World, client_of: SignIn) -> None:
    assert body(client_of(world.alice), f"{EXPORT}?start=2026-09-01&end=2026-10-31") == HEADER + "\r\n"


def test_without_a_range_the_current_month_is_exported(world: World, client_of: SignIn) -> None:
    assert "filename=" in client_of(world.alice).get(EXPORT)["Content-Disposition"]


def test_only_owners_may_export(world: World, client_of: SignIn) -> None:
    for user in (world.bob, world.rita):
        answer = client_of(user).get(OCTOBER)
        assert answer.status_code == 403
        assert "Only owners" in answer.content.decode()
    assert client_of(world.charlie).get(OCTOBER).status_code == 404
    assert Client().get(OCTOBER).status_code == 302


def test_rows_come_by_day_organization_user_key_and_model_and_untracked_ones_before_those_of_keys(
    world: World, client_of: SignIn, sku: Sku
) -> None:
    days = (DAY - timedelta(days=1), DAY)
    organizations = sorted((world.acme, world.labs), key=lambda organization: organization.id)
    users = sorted((world.rita, world.bob), key=lambda user: user.id)
    own_keys = {user: [None, make_key(user, "First"), make_key(user, "Second")] for user in reversed(users)}
    wanted = [
        (organization, day, user, api_key, each)
        for day, organization, user in itertools.product(days, organizations, users)
        for api_key, each in itertools.product(own_keys[user], (sku, make_sku("gpt-4o-mini")))
    ]
    for number in random.Random(5).sample(range(len(wanted)), len(wanted)):
        add_usage(*wanted[number], num_model_requests=number)
    assert [int(row["num_requests"]) for row in rows(client_of(world.alice))] == list(range(len(wanted)))


def test_more_rows_than_one_piece_all_arrive_once_and_in_order(world: World, client_of: SignIn, sku: Sku) -> None:
    count = ROWS_AT_A_TIME + 3
    key = {"organization_id": world.acme.id, "day": DAY, "api_key_id": 0, "sku_id": sku.id}
    none = dict.fromkeys(MEASURES, 0)
    DailyUsage.objects.bulk_create(
        DailyUsage(**key, user_id=1_000_000 + n, **none | {"input_tokens": n}) for n in range(1, count + 1)
    )
    found = [int(row["n_context_tokens_total"]) for row in rows(client_of(world.alice))]
    assert found == list(range(1, count + 1))


@pytest.mark.django_db
def test_an_error_on_the_way_is_written_into_the_file_and_rises() -> None:
    pieces: Iterator[str] = chunks(
        CSV,
        [Column("number", "n")],
        lambda: (f"SELECT (1 / ({ROWS_AT_A_TIME + 5} - n))::text FROM generate_series(1, 10000) AS n", {}),
    )
    assert next(pieces) == "number"
    assert next(pieces).count("\r\n") == ROWS_AT_A_TIME
    assert next(pieces) == f"\r\n{INCOMPLETE}\r\n"
    with pytest.raises(DatabaseError):
        next(pieces)


def test_each_piece_is_fetched_while_the_one_before_it_is_read() -> None:
    left = [[1], [2], [3], []]
    pieces = each_ahead(lambda: left.pop(0))
    assert next(pieces) == [1]
    assert wait_until(lambda: left == [[3], []], timeout_seconds=5)
    assert [*pieces] == [[2], [3]]
    assert not left


@pytest.mark.django_db
def test_a_reader_who_leaves_early_leaves_nothing_behind() -> None:
    statement = f"SELECT n::text FROM generate_series(1, {5 * ROWS_AT_A_TIME}) AS n"
    pieces = chunks(CSV, [Column("number", "n")], lambda: (statement, {}))
    for _ in range(2):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("export")]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors")
        assert cursor.fetchone() == (0,)


def test_the_header_comes_before_any_query(world: World, django_assert_num_queries: Callable[[int], object]) -> None:
    query = UsageQuery((world.acme.id,), Period(DAY, DAY + timedelta(days=1)))
    with django_assert_num_queries(0):  # type: ignore[attr-defined]
        assert next(activity_rows(query, CSV)) == HEADER
