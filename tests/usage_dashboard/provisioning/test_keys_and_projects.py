"""Keys, projects and tokens by the operator's own id."""

import hashlib
from datetime import timedelta

import pytest
from pytest_django import Settings

from accounts.audit.audit import OPERATOR
from accounts.clock import database_now
from accounts.models import AuditEvent, Project, RoutingVersion
from apikeys import secrets
from apikeys.adminkeys.adminkeys import create_admin_key
from apikeys.models import AdminKey, APIKey, IngestToken, KeyAttribution, TrackingChange
from apikeys.scimtokens.scimtokens import create_scim_token
from tests.engine import make_event, make_key_and_secret, make_token, post
from tests.provisioning import Operator, operator, refusal
from tests.world import World


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@pytest.fixture
def program(world: World) -> Operator:
    found = operator()
    found.made("organizations/acme", name="Acme", id=world.acme.public_id)
    for name in ("rita", "bob"):
        found.made(f"users/{name}", email=f"{name}@acme.test")
        found.made(f"memberships/{name}", user=name, organization="acme", role=found_role(name))
    return found


def found_role(name: str) -> str:
    return "reader" if name == "rita" else "admin"


def secrets_of_other_kinds(world: World, program: Operator) -> list[str]:
    """One of each kind that is no API key."""
    now = database_now()
    _, admin_key = create_admin_key(organization=world.acme, name="Reports", scopes=["usage"], now=now)
    _, scim_token = create_scim_token(organization=world.acme, name="Okta", now=now)
    return [program.secret, admin_key, scim_token, make_token()]


def test_the_operators_own_secret_opens_by_its_digest(program: Operator) -> None:
    status, made = program.put("api_keys/k1", user="rita", name="Laptop", digest=digest("sk-mine"))
    assert status == 201
    assert "secret" not in made
    assert post([make_event(id="e", api_key_id=made["id"])], "sk-mine").status_code == 200
    events, version = AuditEvent.objects.count(), RoutingVersion.objects.get().version
    again = program.put("api_keys/k1", user="rita", name="Laptop", digest=digest("sk-mine").upper())
    assert (again[0], again[1]["id"]) == (200, made["id"])
    assert (AuditEvent.objects.count(), RoutingVersion.objects.get().version) == (events, version)


def test_a_secret_that_is_made_here_is_shown_once(program: Operator) -> None:
    made = program.made("api_keys/k1", user="rita", name="Laptop")
    assert bytes(APIKey.objects.get(external_id="k1").digest) == secrets.digest(made["secret"])
    assert "secret" not in program.made("api_keys/k1", user="rita", name="Laptop")
    assert "secret" not in program.get("api_keys/k1")[1]


def test_a_digest_is_one_persons_for_ever(program: Operator, world: World) -> None:
    said = {"name": "Laptop", "digest": digest("sk-mine")}
    program.made("api_keys/k1", user="rita", **said)
    assert refusal(program.put("api_keys/k2", user="bob", **said)) == (409, "digest_taken")
    assert refusal(program.put("api_keys/k2", user="rita", **said)) == (409, "digest_taken")
    assert refusal(program.put("api_keys/k1", user="bob", **said)) == (409, "immutable")
    assert refusal(program.put("api_keys/k1", user="rita", name="Laptop", digest=digest("other"))) == (409, "immutable")
    for foreign in secrets_of_other_kinds(world, program):
        own = {"name": "Mine", "digest": digest(foreign)}
        assert refusal(program.put("api_keys/k3", user="rita", **own)) == (409, "digest_taken"), foreign
    for wrong in ("ab", digest("x")[:-1], digest("x") + "0", "g" * 64, "", None):
        assert refusal(program.put("api_keys/k4", user="rita", name="L", digest=wrong)) == (400, "invalid_request")


def test_a_key_of_the_same_person_is_taken_over_by_its_digest(program: Operator, world: World) -> None:
    key, secret = make_key_and_secret(world.rita)
    found = program.made("api_keys/k1", user="rita", name="Renamed", digest=digest(secret))
    assert (found["id"], found["name"]) == (key.public_id, "Renamed")
    entry = AuditEvent.objects.get(event="api_key.taken_over")
    assert (entry.organization, entry.target_id, entry.target_name) == (world.acme, key.public_id, key.name)
    assert entry.details == {"user": "rita@acme.test"}
    assert entry.actor_name.startswith(OPERATOR)
    assert refusal(program.put("api_keys/k2", user="bob", name="B", digest=digest(secret))) == (409, "digest_taken")


def test_tracking_expiry_and_purpose_are_dated_and_go_forward(program: Operator) -> None:
    program.made("projects/p1", organization="acme", name="Checkout")
    old = "2023-01-01T00:00:00Z"
    program.made("api_keys/k1", user="rita", name="Old", digest=digest("sk-old"), created_at=old)
    assert program.get("api_keys/k1")[1]["tracked"] is False
    moment = (database_now() - timedelta(hours=1)).isoformat()
    said = {"user": "rita", "name": "Old", "tracked": True, "attribution": {"organization": "acme", "project": "p1"}}
    found = program.made("api_keys/k1", **said, effective_at=moment, expires_at="2030-01-01T00:00:00Z")
    assert found["attributions"][0]["project"] == "p1"
    assert found["expires_at"].startswith("2030-01-01")
    assert TrackingChange.objects.get(api_key__external_id="k1", tracked=True).effective_at.isoformat() == moment
    assert KeyAttribution.objects.get(api_key__external_id="k1").effective_at.isoformat() == moment
    earlier = (database_now() - timedelta(hours=2)).isoformat()
    assert refusal(program.put("api_keys/k1", user="rita", name="Old", tracked=False, effective_at=earlier)) == (
        409,
        "invalid_effective_at",
    )
    wrong = {**said, "attribution": {"organization": "acme", "project": "p2"}}
    assert refusal(program.put("api_keys/k1", **wrong)) == (400, "unknown_reference")
    undeclared = {**said, "attribution": {"organization": "acme", "attributes": {"team": "x"}}}
    assert refusal(program.put("api_keys/k1", **undeclared)) == (409, "invalid_attribution")


def test_beyond_the_switches_of_a_day_the_line_is_refused_and_others_hold(
    program: Operator, settings: Settings
) -> None:
    program.made("api_keys/k1", user="rita", name="Laptop")
    settings.SWITCHES_PER_DAY = 0  # that it was made is none
    switched = program.put("api_keys/k1", user="rita", name="Laptop", tracked=False)
    assert refusal(switched) == (409, "limit_reached")
    assert APIKey.objects.get(external_id="k1").tracked
    assert program.made("api_keys/k1", user="rita", name="Renamed")["name"] == "Renamed"


@pytest.mark.parametrize(
    "attributes",
    [
        {"\ud800": "x"},
        {"\ud800": "x" * 65},
        {"a\0": "x"},
        {"a\nb": ""},
        {"x" * 65: "x"},
        {"": "x"},
        {f"name{number}": "x" for number in range(6)},
    ],
)
def test_names_of_attributes_that_cannot_be_are_refused(program: Operator, attributes: dict[str, str]) -> None:
    said = {"user": "rita", "name": "K", "attribution": {"organization": "acme", "attributes": attributes}}
    answer = program.put("api_keys/k1", **said)
    assert refusal(answer) == (400, "invalid_request")
    assert answer[1]["error"]["param"] == "attribution.attributes"
    assert not APIKey.objects.exists()


def test_a_revoked_key_stays_revoked(program: Operator) -> None:
    program.made("api_keys/k1", user="rita", name="Laptop", digest=digest("sk-mine"))
    _, ended = program.end("api_keys/k1")
    assert ended["revoked_at"] is not None
    assert post([make_event(id="e")], "sk-mine").status_code == 401
    assert refusal(program.put("api_keys/k1", user="rita", name="Laptop")) == (409, "ended")
    assert program.end("api_keys/k1") == (200, ended)


def test_a_project_is_made_renamed_archived_and_restored(program: Operator) -> None:
    made = program.made("projects/p1", organization="acme", name="Checkout")
    assert program.made("projects/p1", organization="acme", name="Search")["id"] == made["id"]
    assert refusal(program.put("projects/p2", organization="acme", name="search")) == (409, "project_refused")
    program.made("organizations/c2", name="Two")
    assert refusal(program.put("projects/p1", organization="c2", name="Search")) == (409, "immutable")
    assert program.end("projects/p1")[1]["archived_at"] is not None
    assert program.made("projects/p1", organization="acme", name="Search")["archived_at"] is None
    assert Project.objects.filter(external_id="p1").count() == 1


def test_tokens_are_shown_once_and_stay_what_they_are(program: Operator) -> None:
    made = program.made("ingest_tokens/t1", name="Gateway")
    assert bytes(IngestToken.objects.get(external_id="t1").digest) == secrets.digest(made["secret"])
    assert "secret" not in program.made("ingest_tokens/t1", name="Gateway")
    assert refusal(program.put("ingest_tokens/t1", name="Other")) == (409, "immutable")
    assert refusal(program.put("ingest_tokens/t2", name="Gateway")) == (409, "invalid_name")
    assert program.end("ingest_tokens/t1")[1]["revoked_at"] is not None
    assert refusal(program.put("ingest_tokens/t1", name="Gateway")) == (409, "ended")
    said = {"organization": "acme", "name": "Grafana", "scopes": ["usage", "costs"]}
    made = program.made("admin_keys/a1", **said)
    assert bytes(AdminKey.objects.get(external_id="a1").digest) == secrets.digest(made["secret"])
    assert "secret" not in program.made("admin_keys/a1", **said)
    assert refusal(program.put("admin_keys/a1", **{**said, "scopes": ["usage"]})) == (409, "immutable")
    assert refusal(program.put("admin_keys/a2", **{**said, "scopes": ["all"]})) == (400, "invalid_request")
    assert program.end("admin_keys/a1")[1]["revoked_at"] is not None
