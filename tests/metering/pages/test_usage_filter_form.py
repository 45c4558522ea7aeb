"""The filter form: any query string makes a query, within what the reader may see, and a sentence for what was left out."""

from datetime import date

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.access import open_as_member
from accounts.models import Membership, Organization, User
from accounts.periods import Period
from metering.pages.filter_form import FilterForm, read_filter_form
from metering.usage.groupings import GROUPINGS, MODEL, USER, View
from metering.usage.queries import Rank
from tests.usage.rollup_rows import add_usage, make_key, sku_of
from tests.world import World, join

TODAY = date(2026, 11, 22)
NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


def read(user: User, text: str, slug: str = "acme", view: View = View.COST) -> FilterForm:
    return read_filter_form(QueryDict(text), access=open_as_member(user, slug), today=TODAY, view=view)


def test_an_empty_query_string_is_the_current_month_of_everything(world: World) -> None:
    form = read(world.alice, "")
    assert form.query.period == NOVEMBER
    assert set(form.query.organization_ids) == {world.acme.pk, world.labs.pk, world.japan.pk}
    assert (form.query.group, form.rank, form.filters, form.ignored) == (MODEL, Rank.REQUESTS, (), ())
    assert form.parameters == ()


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "november", "2026-1", "0000-01", "9999-12", "%00", "१२३४-०१"])
def test_what_is_not_a_month_is_the_current_one_and_said(world: World, month: str) -> None:
    form = read(world.alice, f"month={month}")
    assert form.month == NOVEMBER
    assert len(form.ignored) == 1


def test_a_month_that_has_not_begun_is_ignored(world: World) -> None:
    form = read(world.alice, "month=2026-12")
    assert form.month == NOVEMBER
    assert form.ignored == ("December 2026 has not begun; showing the current month.",)


def test_filters_combine_and_keep_their_names(world: World) -> None:
    key = make_key(world.rita, "search-prod")
    add_usage(world.acme, TODAY, world.rita, key, sku_of("gpt-4o"), num_model_requests=1)
    text = f"model=gpt-4o&user={world.rita.public_id}&api_key={key.public_id}&api_key=untracked&usage_type=completions"
    form = read(world.alice, f"{text}&organization={world.labs.public_id}&month=2026-10")
    assert form.ignored == ()
    assert form.query.user_ids == (world.rita.pk,)
    assert set(form.query.api_key_ids) == {key.pk, 0}
    assert form.query.organization_ids == (world.labs.pk,)
    assert [chip.label for chip in form.filters] == [
        "gpt-4o",
        "Rita Rao",
        "search-prod",
        "Untracked",
        "Acme Labs",
        "completions",
    ]
    assert read(world.alice, "&".join(f"{name}={value}" for name, value in form.parameters)) == form


def test_what_belongs_to_others_is_answered_like_what_does_not_exist(world: World) -> None:
    key = make_key(world.charlie, "secret-project")
    add_usage(world.other, TODAY, world.charlie, key, sku_of("their-model"), num_model_requests=1)
    asked = (
        f"user={world.charlie.public_id}&api_key={key.public_id}&organization={world.other.public_id}&model=their-model"
    )
    form = read(world.alice, asked)
    assert form.filters == ()
    assert form.query == read(world.alice, "").query
    assert len(form.ignored) == 4
    assert "secret-project" not in " ".join(form.ignored)


def test_a_reader_who_sees_only_their_own_usage_cannot_ask_for_others(world: World) -> None:
    Organization.objects.filter(pk=world.acme.pk).update(usage_visibility="owners_and_admins")
    bobs = make_key(world.bob, "bobs")
    ritas = make_key(world.rita, "ritas")
    for user, key in ((world.bob, bobs), (world.rita, ritas)):
        add_usage(world.acme, TODAY, user, key, sku_of("gpt-4o"), num_model_requests=1)
    form = read(world.rita, f"user={world.bob.public_id}&api_key={bobs.public_id}&api_key={ritas.public_id}")
    assert form.own_usage_only
    assert form.query.user_ids == (world.rita.pk,)
    assert form.query.api_key_ids == (ritas.pk,)
    assert len(form.ignored) == 2


def test_a_former_member_can_still_be_filtered_by(world: World) -> None:
    join(world.charlie, world.acme, role="reader")
    Membership.objects.filter(user=world.charlie, organization=world.acme).delete()
    assert read(world.alice, f"user={world.charlie.public_id}").filters == ()
    left = join(world.charlie, world.acme, role="reader")
    left.left_at = left.joined_at.replace(year=2026)
    left.save()
    assert [chip.label for chip in read(world.alice, f"user={world.charlie.public_id}").filters] == ["Charlie Cole"]


def test_repeated_single_values_count_once_and_it_is_said(world: World) -> None:
    form = read(world.alice, "month=2026-10&month=2026-09&rank=tokens&rank=requests")
    assert form.month.start == date(2026, 10, 1)
    assert form.rank == Rank.TOKENS
    assert len(form.ignored) == 2


@pytest.mark.parametrize("name", ["group", "group_by"])
def test_a_grouping_that_the_view_cannot_draw_is_said_and_kept_for_the_other_view(world: World, name: str) -> None:
    form = read(world.alice, f"{name}=line_item", view=View.ACTIVITY)
    assert form.query.group == MODEL
    assert form.ignored == ("This view cannot be grouped by line item; showing it by model.",)
    assert ("group", "line_item") in form.parameters
    assert read(world.alice, f"{name}=line_item", view=View.COST).ignored == ()


def test_an_organization_alone_cannot_be_grouped_by_organization_and_it_is_said(world: World) -> None:
    alone = world.charlie.default_organization
    assert alone is not None
    form = read(world.charlie, "group=organization", slug=alone.slug)
    assert form.query.group == MODEL
    assert form.ignored == ("This view cannot be grouped by organization; showing it by model.",)


@pytest.mark.parametrize("word", [word for word in GROUPINGS if word != "model"])
def test_group_by_means_the_same_as_group(world: World, word: str) -> None:
    form = read(world.alice, f"group_by={word}")
    assert form.query.group == GROUPINGS[word]
    assert ("group", word) in form.parameters


def test_of_group_and_group_by_the_first_counts(world: World) -> None:
    assert read(world.alice, "group_by=model&group=user").query.group == USER


def test_long_values_are_quoted_shortly(world: World) -> None:
    form = read(world.alice, f"model={'x' * 10_000}&user={'y' * 10_000}&month={'z' * 10_000}&group={'g' * 10_000}")
    assert len(form.ignored) == 4
    assert max(map(len, form.ignored)) < 200


def test_many_values_are_cut_off(world: World) -> None:
    form = read(world.alice, "&".join(f"model=m{n}" for n in range(500)))
    assert len(form.ignored) == 21


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(
                ["month", "group", "rank", "chart", "tokens", "model", "user", "api_key", "organization", "usage_type"]
            ),
            st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30),
        ),
        max_size=6,
    )
)
def test_no_query_string_breaks_the_form(world: World, pairs: list[tuple[str, str]]) -> None:
    data = QueryDict(mutable=True)
    for name, value in pairs:
        data.appendlist(name, value)
    form = read_filter_form(data, access=open_as_member(world.alice, "acme"), today=TODAY, view=View.COST)
    assert set(form.query.organization_ids) <= {world.acme.pk, world.labs.pk, world.japan.pk}
