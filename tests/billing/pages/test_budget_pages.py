"""The Budgets page: owners set a budget for what is theirs, change it and remove it."""

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.clock import database_now
from accounts.models import Attribute, Project, User
from apikeys.models import APIKey
from billing.alerts import Budget, BudgetKind, Scope
from billing.budgets import blocks, budgets
from metering.attribution_models import AttributeValue, AttributeValueMonth
from metering.models import Model
from tests.engine import make_key
from tests.money import ACTOR, set_price, use
from tests.usage.rollup_rows import add_usage, sku_of
from tests.world import LONG_AGO, World, join

SignIn = Callable[[User], Client]
PAGE = "/settings/organization/acme/billing/budgets/"
NEW = f"{PAGE}new/"
TERMS = {"amount": "100", "thresholds": "90 %; 50", "is_hard": "on"}


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    blocks.forget()
    yield
    blocks.forget()


@pytest.fixture
def parts(world: World, key: APIKey) -> World:
    """Something of each kind that a budget may be about."""
    set_price("gpt-x", "0.01")
    use(world.acme, database_now().date(), "gpt-x", input_tokens=100)
    use(world.other, database_now().date(), "secret-model", input_tokens=100)
    Project.objects.create(organization=world.acme, name="Search")
    Project.objects.create(organization=world.other, name="Theirs")
    Project.objects.create(organization=world.labs, name="Of a child")
    team = Attribute.objects.create(organization=world.acme, name="team", title="Team", declared_at=LONG_AGO)
    value = AttributeValue.objects.create(value="search")
    AttributeValueMonth.objects.create(
        attribute_id=team.pk, month=database_now().date().replace(day=1), value_id=value.pk
    )
    return world


def page_of(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def targets(world: World, key: APIKey) -> dict[str, tuple[dict[str, str], Scope]]:
    """By kind: what its form sends, and the scope that the budget then has."""
    project, model = Project.objects.get(name="Search"), Model.objects.get(name="gpt-x")
    return {
        "organization": ({}, Scope()),
        "project": ({"target": project.public_id}, Scope(BudgetKind.PROJECT, project.pk)),
        "api_key": ({"target": key.public_id}, Scope(BudgetKind.API_KEY, key.pk)),
        "user": ({"target": world.rita.public_id}, Scope(BudgetKind.USER, world.rita.pk)),
        "model": ({"target": "gpt-x"}, Scope(BudgetKind.MODEL, model.pk)),
        "attribute": (
            {"attribute": "team", "value": " new team "},
            Scope(BudgetKind.ATTRIBUTE, value="team:new team"),
        ),
    }


KINDS = ["organization", "project", "api_key", "user", "model", "attribute"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_budget_is_set_changed_and_removed(parts: World, key: APIKey, client_of: SignIn, kind: str) -> None:
    client = client_of(parts.alice)
    chosen, scope = targets(parts, key)[kind]
    assert client.post(NEW, {"about": kind, **chosen, **TERMS}).status_code == 302
    budget = Budget.objects.get()
    assert budget.scope == scope
    assert (budget.amount, budget.thresholds, budget.is_hard) == (Decimal(100), [50, 90], True)
    page = page_of(client)
    assert "of $100.00 used this month" in page
    assert "Emails at 50%, 90%" in page
    assert 'value="100.00"' in page_of(client, f"{PAGE}{budget.pk}/")
    client.post(f"{PAGE}{budget.pk}/", {"amount": "7", "thresholds": ""})
    budget.refresh_from_db()
    assert (budget.scope, budget.amount, budget.thresholds, budget.is_hard) == (scope, Decimal(7), [], False)
    assert client.post(f"{PAGE}{budget.pk}/removal/").status_code == 302
    assert not Budget.objects.exists()
    assert client.post(f"{PAGE}{budget.pk}/removal/").status_code == 404
    assert client.get(f"{PAGE}{budget.pk}/").status_code == 404


def test_the_page_of_an_organization_without_budgets_says_what_they_are_for(world: World, client_of: SignIn) -> None:
    page = page_of(client_of(world.alice))
    assert "No budgets yet" in page
    for kind in KINDS:
        assert f"?about={kind}" in page


def test_a_spent_hard_budget_says_that_it_blocks(parts: World, key: APIKey, client_of: SignIn) -> None:
    model = Scope(BudgetKind.MODEL, Model.objects.get(name="gpt-x").pk)
    budgets.set_budget(parts.acme, scope=model, amount=Decimal(1), thresholds=[], is_hard=True, actor=ACTOR)
    page = page_of(client_of(parts.alice))
    assert "$1.00 of $1.00 used this month (100%)" in page
    assert "Blocked until next month" in page


def test_a_members_key_that_counts_elsewhere_is_neither_offered_nor_taken(parts: World, client_of: SignIn) -> None:
    moved = User.objects.get(pk=parts.rita.pk)
    private = make_key(moved, "Private thing")
    client = client_of(parts.alice)
    assert "Private thing" in page_of(client, f"{NEW}?about=api_key&q=private")
    join(moved, parts.other, role="reader")
    User.objects.filter(pk=moved.pk).update(default_organization=parts.other)
    assert "Private thing" not in page_of(client, f"{NEW}?about=api_key&q=private")
    sent = {"about": "api_key", "target": private.public_id, **TERMS}
    assert client.post(NEW, sent).status_code == 404
    add_usage(parts.acme, database_now().date(), moved, private, sku_of("gpt-x"), num_model_requests=1)
    assert "Private thing" in page_of(client, f"{NEW}?about=api_key&q=private")


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("api_key", "Desktop"),
        ("user", "Charlie"),
        ("model", "secret-model"),
        ("project", "Theirs"),
        ("project", "Of a child"),
    ],
)
def test_what_belongs_to_strangers_is_neither_offered_nor_taken(
    parts: World, client_of: SignIn, kind: str, theirs: str
) -> None:
    stranger = make_key(parts.charlie, "Desktop")
    word = {
        "Desktop": stranger.public_id,
        "Charlie": parts.charlie.public_id,
        "secret-model": "secret-model",
        "Theirs": Project.objects.get(name="Theirs").public_id,
        "Of a child": Project.objects.get(name="Of a child").public_id,
    }[theirs]
    client = client_of(parts.alice)
    assert theirs not in page_of(client, f"{NEW}?about={kind}")
    assert client.post(NEW, {"about": kind, "target": word, **TERMS}).status_code == 404
    assert client.post(NEW, {"about": kind, "target": "nobody", **TERMS}).status_code == 404
    assert not Budget.objects.exists()


def test_budgets_of_others_are_nowhere(parts: World, client_of: SignIn) -> None:
    theirs = Budget.objects.create(organization=parts.other, amount=1)
    of_child = Budget.objects.create(organization=parts.labs, amount=1)
    client = client_of(parts.alice)
    for budget in (theirs, of_child):
        assert client.get(f"{PAGE}{budget.pk}/").status_code == 404
        assert client.post(f"{PAGE}{budget.pk}/", TERMS).status_code == 404
        assert client.post(f"{PAGE}{budget.pk}/removal/").status_code == 404
    assert Budget.objects.count() == 2


def test_only_owners_see_budgets(parts: World, client_of: SignIn) -> None:
    for user, status in ((parts.bob, 403), (parts.rita, 403), (parts.charlie, 404)):
        for address in (PAGE, NEW):
            assert client_of(user).get(address).status_code == status


def test_keys_users_and_models_are_found_by_name(parts: World, key: APIKey, client_of: SignIn) -> None:
    join(parts.charlie, parts.labs, role="reader")  # of a child: its usage counts
    client = client_of(parts.alice)
    for kind, search, found, left_out in (
        ("api_key", "lap", key.public_id, "nothing"),
        ("api_key", "rita", key.public_id, "nothing"),
        ("user", "charlie@", parts.charlie.public_id, parts.rita.public_id),
        ("model", "GPT", "gpt-x", "secret-model"),
        ("project", "sea", "Search", "Theirs"),
    ):
        page = page_of(client, f"{NEW}?about={kind}&q={search}")
        assert found in page
        assert left_out not in page
    assert "Nothing is called “%_”." in page_of(client, f"{NEW}?about=model&q=%25_")
    assert '<option value="search">' in page_of(client, f"{NEW}?about=attribute")


def test_lists_are_bounded_and_say_so(parts: World, client_of: SignIn) -> None:
    for number in range(25):
        Project.objects.create(organization=parts.acme, name=f"p{number:02d}")
    page = page_of(client_of(parts.alice), f"{NEW}?about=project")
    assert page.count('type="radio"') == 20
    assert "These are the first 20. Search to find others." in page


def test_a_choice_that_is_missing_is_asked_for(parts: World, client_of: SignIn) -> None:
    client = client_of(parts.alice)
    for kind, words in (("api_key", "Choose an API key."), ("model", "Choose a model.")):
        assert words in client.post(NEW, {"about": kind, **TERMS}).content.decode()
    for value in ("", "x" * 65, "a\nb"):
        answer = client.post(NEW, {"about": "attribute", "attribute": "team", "value": value, **TERMS})
        assert "field-error" in answer.content.decode(), value
    answer = client.post(NEW, {"about": "attribute", "attribute": "tier", "value": "a", **TERMS})
    assert "field-error" in answer.content.decode()
    assert not Budget.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        {"amount": "0"},
        {"amount": "1.001"},
        {"amount": "x"},
        {"amount": "5", "thresholds": "0"},
        {"amount": "5", "thresholds": "half"},
        {"amount": "5", "thresholds": ",".join(str(number) for number in range(1, 12))},
    ],
)
def test_a_bad_budget_is_refused_with_a_sentence_and_keeps_what_was_chosen(
    parts: World, key: APIKey, client_of: SignIn, sent: dict[str, str]
) -> None:
    answer = client_of(parts.alice).post(NEW, {"about": "api_key", "target": key.public_id, **sent})
    page = " ".join(answer.content.decode().split())
    assert "field-error" in page
    assert f'value="{key.public_id}" required checked' in page
    assert not Budget.objects.exists()


def test_one_budget_too_many_is_refused_with_a_sentence(
    parts: World, key: APIKey, client_of: SignIn, settings: Settings
) -> None:
    settings.BUDGETS_MAX = 1
    client = client_of(parts.alice)
    client.post(NEW, {"about": "organization", **TERMS})
    assert "at most 1 budget. Remove one to add another." in page_of(client)
    answer = client.post(NEW, {"about": "api_key", "target": key.public_id, **TERMS})
    assert "An organization can have at most 1 budget." in answer.content.decode()


def test_what_became_of_a_target_is_said(parts: World, key: APIKey, client_of: SignIn) -> None:
    for _, scope in targets(parts, key).values():
        Budget.objects.create(
            organization=parts.acme, kind=scope.kind, target_id=scope.target_id, value=scope.value, amount=1
        )
    Project.objects.update(archived_at=database_now())
    APIKey.objects.update(revoked_at=database_now())
    page = page_of(client_of(parts.alice))
    for state in ("archived", "revoked"):
        assert f'<span class="state">{state}</span>' in page


def test_the_page_asks_as_often_for_many_budgets_as_for_one_of_each_kind(
    parts: World, key: APIKey, client_of: SignIn, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = client_of(parts.alice)
    keys = [make_key(parts.rita, f"key {number}") for number in range(30)]
    scopes = [scope for _, scope in targets(parts, key).values()]
    for scope in (*scopes, *(Scope(BudgetKind.API_KEY, found.pk) for found in keys)):
        Budget.objects.create(
            organization=parts.acme, kind=scope.kind, target_id=scope.target_id, value=scope.value, amount=1
        )
    with django_assert_max_num_queries(14):
        assert "36 budgets" in page_of(client)
    with django_assert_max_num_queries(12):
        assert "35 more budgets" in page_of(client, "/settings/organization/acme/billing/")
