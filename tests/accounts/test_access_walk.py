"""Every address, asked by every kind of person with every method: one expected answer for each, in one table.

An address without a row fails, so nothing is added without saying who may see it.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Organization, User
from tests.accounts.walked import Walked, make_walked
from tests.database.undone import undone
from tests.world import LONG_AGO

ROLES = (
    "anonymous",
    "outsider",
    "reader",
    "reader_without_visibility",
    "admin",
    "owner",
    "parent_owner",  # owns the parent of the organization that is asked for, and is not in it
    "staff",  # of the operator, and in no organization that is asked for
)
# Walked by their own projects' tests; the prefix alone is asked here.
FOREIGN_PREFIXES = ("accounts/", "admin/")


class Answers(NamedTuple):
    """The expected status for each of ROLES."""

    anonymous: int
    outsider: int
    reader: int
    reader_without_visibility: int
    admin: int
    owner: int
    staff: int = 0
    """0: the same as an outsider. The owner of the parent always gets an outsider's answer."""

    def of(self, role: str) -> int:
        if role == "parent_owner" or (role == "staff" and not self.staff):
            return self.outsider
        return int(getattr(self, role))


SIGN_IN = 302
EVERYONE = Answers(200, 200, 200, 200, 200, 200)
NOBODY = Answers(405, 405, 405, 405, 405, 405)
UNAUTHENTICATED = Answers(401, 401, 401, 401, 401, 401)
SIGNED_IN = Answers(SIGN_IN, 200, 200, 200, 200, 200)
STAFF_OR_LED_AWAY = Answers(302, 302, 302, 302, 302, 302, staff=200)
REDIRECTED = Answers(302, 302, 302, 302, 302, 302)
# An address that takes POST alone leads readers back to its page, which then says who may see it.
LED_BACK = REDIRECTED
SIGNED_IN_BAD = Answers(SIGN_IN, 400, 400, 400, 400, 400)
MEMBERS = Answers(SIGN_IN, 404, 200, 200, 200, 200)
ADMINS = Answers(SIGN_IN, 404, 403, 403, 200, 200)
OWNERS = Answers(SIGN_IN, 404, 403, 403, 403, 200)
# The key in these addresses is the admin's own: for everyone else it does not exist.
KEY_OWNER = Answers(SIGN_IN, 404, 404, 404, 200, 404)
KEY_OWNER_CHANGES = Answers(SIGN_IN, 404, 404, 404, 302, 404)
MEMBERS_REFUSED = Answers(SIGN_IN, 404, 403, 403, 403, 403)
ADMINS_REDIRECTED = Answers(SIGN_IN, 404, 403, 403, 302, 302)
KEY_OWNER_OR_MANAGER = Answers(SIGN_IN, 404, 404, 404, 200, 200)
KEY_ATTRIBUTED = Answers(SIGN_IN, 404, 404, 404, 302, 302)
# Nobody of them can leave: one is the last owner, the others are in no other organization.
CANNOT_LEAVE = Answers(SIGN_IN, 404, 409, 409, 409, 409)
# The invitation is for someone else than any of them.
WRONG_ADDRESS = Answers(200, 403, 403, 403, 403, 403)
OWNERS_NOTHING_THERE = OWNERS._replace(owner=404)
# For others than staff the operator's pages do not exist.
STAFF = Answers(SIGN_IN, 404, 404, 404, 404, 404, staff=200)
STAFF_NOTHING_THERE = STAFF._replace(staff=404)
SWITCHED_OFF = Answers(404, 404, 404, 404, 404, 404)

# address pattern → (answers to GET and HEAD, answers to POST)
EXPECTED = {
    "": (REDIRECTED, REDIRECTED),
    "usage": (REDIRECTED, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/export/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/export.json": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/export/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/export.json": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/activity/export.csv": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/usage/cost/export.csv": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/members/": (ADMINS, NOBODY),
    "settings/profile/": (SIGNED_IN, REDIRECTED),
    "settings/profile/default-organization/": (SIGNED_IN, SIGNED_IN),
    "settings/security/": (SIGNED_IN, NOBODY),
    "settings/organizations/": (SIGNED_IN, SIGNED_IN),
    "settings/organization/<slug:slug>/name/": (LED_BACK, OWNERS),
    "settings/organization/<slug:slug>/usage-visibility/": (LED_BACK, OWNERS),
    "settings/organization/<slug:slug>/departure/": (MEMBERS, CANNOT_LEAVE),
    "settings/organization/<slug:slug>/members/<slug:public_id>/role/": (LED_BACK, MEMBERS_REFUSED),
    "settings/organization/<slug:slug>/members/<slug:public_id>/removal/": (ADMINS, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/invitations/": (LED_BACK, ADMINS),
    "settings/organization/<slug:slug>/invitations/<slug:public_id>/resending/": (LED_BACK, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/invitations/<slug:public_id>/revocation/": (LED_BACK, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/audit/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/audit/export.csv": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/keys/": (ADMINS, NOBODY),
    "settings/organization/<slug:slug>/keys/<slug:public_id>/": (KEY_OWNER_OR_MANAGER, NOBODY),
    "settings/organization/<slug:slug>/keys/requests/<slug:public_id>/": (LED_BACK, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/keys/<slug:public_id>/attribution/": (KEY_OWNER_OR_MANAGER, KEY_ATTRIBUTED),
    "settings/organization/<slug:slug>/admin-keys/": (OWNERS, OWNERS),
    "settings/organization/<slug:slug>/admin-keys/<slug:public_id>/secret/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/admin-keys/<slug:public_id>/revocation/": (OWNERS, OWNERS._replace(owner=302)),
    "settings/organization/<slug:slug>/projects/": (MEMBERS, ADMINS),
    "settings/organization/<slug:slug>/projects/<slug:public_id>/": (MEMBERS, NOBODY),
    "settings/organization/<slug:slug>/projects/<slug:public_id>/name/": (LED_BACK, ADMINS),
    "settings/organization/<slug:slug>/projects/<slug:public_id>/archival/": (LED_BACK, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/projects/<slug:public_id>/restoration/": (LED_BACK, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/attributes/": (MEMBERS, ADMINS),
    "settings/organization/<slug:slug>/attributes/<slug:name>/title/": (ADMINS, ADMINS),
    "settings/organization/<slug:slug>/attributes/<slug:name>/withdrawal/": (ADMINS, ADMINS_REDIRECTED),
    "settings/organization/<slug:slug>/usage/why/": (MEMBERS, NOBODY),
    "invitations/<slug:token>/": (WRONG_ADDRESS, NOBODY),
    "invitations/<slug:token>/acceptance/": (LED_BACK, WRONG_ADDRESS._replace(anonymous=SIGN_IN)),
    "invitations/<slug:token>/registration/": (LED_BACK, REDIRECTED),
    "settings/api-keys/": (SIGNED_IN, SIGNED_IN),
    "settings/api-keys/<slug:public_id>/secret/": (KEY_OWNER, NOBODY),
    "settings/api-keys/<slug:public_id>/tracking/": (LED_BACK, SIGNED_IN_BAD),
    "settings/api-keys/<slug:public_id>/name/": (KEY_OWNER, KEY_OWNER),
    "settings/api-keys/<slug:public_id>/rotation/": (KEY_OWNER, KEY_OWNER),
    "settings/api-keys/<slug:public_id>/revocation/": (KEY_OWNER, KEY_OWNER_CHANGES),
    "settings/organization/<slug:slug>/billing/": (ADMINS, NOBODY),
    "settings/organization/<slug:slug>/billing/export/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/billing/export/focus": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/billing/details/": (LED_BACK, OWNERS),
    "settings/organization/<slug:slug>/billing/budgets/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/billing/budgets/new/": (OWNERS, OWNERS),
    "settings/organization/<slug:slug>/billing/budgets/<int:budget_id>/": (OWNERS_NOTHING_THERE, OWNERS_NOTHING_THERE),
    "settings/organization/<slug:slug>/billing/budgets/<int:budget_id>/removal/": (LED_BACK, OWNERS_NOTHING_THERE),
    "settings/organization/<slug:slug>/billing/webhooks/": (LED_BACK, OWNERS),
    "settings/organization/<slug:slug>/billing/webhooks/<int:endpoint_id>/secret/": (OWNERS_NOTHING_THERE, NOBODY),
    "settings/organization/<slug:slug>/billing/webhooks/<int:endpoint_id>/removal/": (LED_BACK, OWNERS_NOTHING_THERE),
    "settings/organization/<slug:slug>/billing/webhooks/<int:endpoint_id>/test/": (LED_BACK, OWNERS_NOTHING_THERE),
    "settings/organization/<slug:slug>/billing/messages/": (OWNERS, NOBODY),
    "settings/organization/<slug:slug>/billing/messages/<int:delivery_id>/again/": (LED_BACK, OWNERS_NOTHING_THERE),
    "settings/organization/<slug:slug>/billing/webhooks/<int:endpoint_id>/activation/": (
        LED_BACK,
        OWNERS_NOTHING_THERE,
    ),
    "settings/organization/<slug:slug>/billing/invoices/<int:invoice_id>/": (OWNERS_NOTHING_THERE, NOBODY),
    "settings/organization/<slug:slug>/billing/invoices/<int:invoice_id>/pdf/": (OWNERS_NOTHING_THERE, NOBODY),
    "settings/customers/": (STAFF, NOBODY),
    "settings/customers/<slug:slug>/opening/": (STAFF, STAFF._replace(staff=302)),
    "settings/customers/leaving/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/users/": (STAFF, NOBODY),
    "settings/users/<slug:public_id>/": (STAFF, NOBODY),
    "settings/users/<slug:public_id>/deactivation/": (STAFF, STAFF._replace(staff=302)),
    "settings/users/<slug:public_id>/reactivation/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/users/<slug:public_id>/signing-out/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/users/<slug:public_id>/password-reset/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/users/<slug:public_id>/second-factor/": (STAFF, STAFF._replace(staff=302)),
    "settings/prices/": (STAFF, NOBODY),
    "settings/prices/change/": (STAFF, STAFF),
    "settings/prices/unpriced/": (STAFF, NOBODY),
    "settings/prices/changes/<int:change_id>/": (STAFF_NOTHING_THERE, NOBODY),
    "settings/credit/": (STAFF, STAFF),
    "settings/credit/<int:grant_id>/voiding/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/invoices/": (STAFF, NOBODY),
    "settings/invoices/<int:invoice_id>/pdf/": (STAFF_NOTHING_THERE, NOBODY),
    "settings/invoices/<int:invoice_id>/payment/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/invoices/<int:invoice_id>/voiding/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/invoices/<int:invoice_id>/release/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/balances/<slug:slug>/refunds/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/staff/": (STAFF, NOBODY),
    "settings/staff/state/": (STAFF, NOBODY),
    "settings/staff/steps/<slug:step>/dismissal/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/staff/steps/<slug:step>/taking-back/": (LED_BACK, STAFF._replace(staff=302)),
    "settings/news/": (STAFF, NOBODY),
    "settings/news/webhooks/": (LED_BACK, STAFF),
    "settings/news/webhooks/<int:endpoint_id>/secret/": (STAFF_NOTHING_THERE, NOBODY),
    "settings/news/webhooks/<int:endpoint_id>/removal/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/news/webhooks/<int:endpoint_id>/activation/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/news/webhooks/<int:endpoint_id>/test/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/news/messages/<int:delivery_id>/again/": (LED_BACK, STAFF_NOTHING_THERE),
    "settings/ingestion/": (STAFF, NOBODY),
    "settings/ingestion/keys/": (LED_BACK, STAFF),
    "settings/ingestion/test-event/": (LED_BACK, STAFF),
    "settings/operator-tokens/": (STAFF, STAFF),
    "settings/operator-tokens/<slug:public_id>/secret/": (STAFF_NOTHING_THERE, NOBODY),
    "settings/operator-tokens/<slug:public_id>/revocation/": (STAFF_NOTHING_THERE, STAFF_NOTHING_THERE),
    "settings/organization/<slug:slug>/provisioning/": (OWNERS, OWNERS),
    "settings/organization/<slug:slug>/provisioning/<slug:public_id>/secret/": (OWNERS_NOTHING_THERE, NOBODY),
    "settings/organization/<slug:slug>/provisioning/<slug:public_id>/revocation/": (
        OWNERS_NOTHING_THERE,
        OWNERS_NOTHING_THERE,
    ),
    "settings/organization/<slug:slug>/provisioning/groups/<slug:public_id>/role/": (LED_BACK, OWNERS_NOTHING_THERE),
    "scim/v2": (UNAUTHENTICATED, UNAUTHENTICATED),
    "scim/v2/<path:path>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/batch": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/organizations": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/organizations/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/users": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/users/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/memberships": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/memberships/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/projects": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/projects/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/api_keys": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/api_keys/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/admin_keys": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/admin_keys/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/ingest_tokens": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/operator/ingest_tokens/<str:external_id>": (UNAUTHENTICATED, UNAUTHENTICATED),
    "v1/organizations/<str:public_id>/refunds": (NOBODY, SWITCHED_OFF),
    "v1/invoices/<str:number>/payment": (NOBODY, SWITCHED_OFF),
    "v1/organization/focus": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/completions": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/embeddings": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/moderations": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/images": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/audio_speeches": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/audio_transcriptions": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/vector_stores": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/code_interpreter_sessions": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/file_search_calls": (UNAUTHENTICATED, NOBODY),
    "v1/organization/usage/web_search_calls": (UNAUTHENTICATED, NOBODY),
    "v1/organization/costs": (UNAUTHENTICATED, NOBODY),
    "v1/organization/projects": (UNAUTHENTICATED, NOBODY),
    "v1/organization/projects/<str:public_id>": (UNAUTHENTICATED, NOBODY),
    "v1/organization/projects/<str:public_id>/api_keys": (UNAUTHENTICATED, NOBODY),
    "v1/organization/projects/<str:public_id>/api_keys/<str:key_id>": (UNAUTHENTICATED, NOBODY),
    "v1/organization/users": (UNAUTHENTICATED, NOBODY),
    "v1/organization/users/<str:public_id>": (UNAUTHENTICATED, NOBODY),
    "v1/organization/admin_api_keys": (UNAUTHENTICATED, NOBODY),
    "v1/organization/admin_api_keys/<str:public_id>": (UNAUTHENTICATED, NOBODY),
    "v1/organization/spend_alerts": (UNAUTHENTICATED, NOBODY),
    "v1/organization/spend_alerts/<str:public_id>": (UNAUTHENTICATED, NOBODY),
    "v1/organization/spend_limit": (UNAUTHENTICATED, NOBODY),
    "v1/organizations/analytics/usage": (UNAUTHENTICATED, NOBODY),
    "v1/organizations/analytics/cost": (UNAUTHENTICATED, NOBODY),
    "v1/organizations/usage_report/messages": (UNAUTHENTICATED, NOBODY),
    "v1/organizations/cost_report": (UNAUTHENTICATED, NOBODY),
    "v1/usage/events": (NOBODY, UNAUTHENTICATED),
    "v1/usage/responses": (NOBODY, UNAUTHENTICATED),
    "v1/integrations/litellm": (NOBODY, UNAUTHENTICATED),
    "v1/traces": (NOBODY, UNAUTHENTICATED),
    "api/v1/events": (NOBODY, UNAUTHENTICATED),
    "v1/keys/verify": (NOBODY, UNAUTHENTICATED),
    "api/docs": (EVERYONE, NOBODY),
    "api/schema": (EVERYONE, NOBODY),
    "api/schema.yaml": (EVERYONE, NOBODY),
    "healthz": (EVERYONE, NOBODY),
    "readyz": (EVERYONE, NOBODY),
    "metrics": (SWITCHED_OFF, NOBODY),
    "first-start/": (REDIRECTED, REDIRECTED),  # somebody is staff
    "first-start/event/": (STAFF_OR_LED_AWAY, NOBODY),
    "branding/logo": (SWITCHED_OFF, NOBODY),
    "branding/documents/<slug:digest>": (SWITCHED_OFF, NOBODY),
    "branding/icon": (SWITCHED_OFF, NOBODY),
    "branding/colors.css": (SWITCHED_OFF, NOBODY),
}
Ask = Callable[[str, str, str], HttpResponse]
CHANGING_METHODS = ("PUT", "PATCH", "DELETE")


def project_patterns() -> list[str]:
    return [pattern for pattern in patterns_of(get_resolver()) if not pattern.startswith(FOREIGN_PREFIXES)]


def patterns_of(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in resolver.url_patterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield address
        else:
            yield from patterns_of(entry, address)


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert set(project_patterns()) == set(EXPECTED)


@pytest.fixture(scope="module")
def walked(kept: None) -> Walked:
    return make_walked()


@pytest.fixture
def ask(db: None, walked: Walked) -> Ask:
    """Ask for an address as a role with a method."""

    def answer(role: str, pattern: str, method: str) -> HttpResponse:
        if role == "reader_without_visibility":
            Organization.objects.filter(pk=walked.world.acme.pk).update(usage_visibility="owners_and_admins")
        client = Client()
        if role in walked.sessions:
            client.cookies[settings.SESSION_COOKIE_NAME] = walked.sessions[role]
        for placeholder, value in walked.ids.items():
            kind = placeholder.rpartition("/")[0]
            pattern = pattern.replace(placeholder, f"{kind}/{value}" if kind else value)
        return client.generic(method, "/" + re.sub("<int:[a-z_]+>", "1", pattern))  # type: ignore[return-value]

    return answer


@pytest.mark.parametrize("pattern", EXPECTED)
def test_each_role_gets_the_answer_of_the_table(ask: Ask, pattern: str) -> None:
    reading, changing = EXPECTED[pattern]
    for role in ROLES:
        for method, answers in (("GET", reading), ("HEAD", reading), ("POST", changing)):
            with undone():
                assert ask(role, pattern, method).status_code == answers.of(role), f"{method} by {role}"


def test_no_address_knows_other_methods(ask: Ask) -> None:
    for pattern in filter(None, EXPECTED):
        # The operator's programs and identity providers put and delete; they are asked for their token before anything else.
        expected = 401 if pattern.startswith(("v1/operator/", "scim/v2")) else 405
        for method in CHANGING_METHODS:
            assert ask("owner", pattern, method).status_code == expected, f"{method} {pattern}"


def test_a_former_member_is_an_outsider(walked: Walked, ask: Ask) -> None:
    rita = walked.world.rita
    User.objects.filter(pk=rita.pk).update(default_organization=None)
    rita.memberships.update(left_at=LONG_AGO.replace(year=2024))
    for pattern, (reading, _) in EXPECTED.items():
        if "<slug:slug>" in pattern and reading not in (NOBODY, LED_BACK):
            assert ask("reader", pattern, "GET").status_code == 404, pattern


@pytest.mark.parametrize("prefix", FOREIGN_PREFIXES)
def test_nothing_of_the_foreign_pages_shows_data_to_strangers(prefix: str) -> None:
    assert Client().get("/" + prefix).status_code in {302, 404}
