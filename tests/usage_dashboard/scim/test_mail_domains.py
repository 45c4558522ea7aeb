"""Staff's list of mail domains: each is kept as addresses at it are, and is one organization's alone."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent, User
from tests.usage_dashboard.scim.conftest import asking, person
from tests.world import World
from usage_dashboard.models import MailDomain

ADD = "admin:usage_dashboard_maildomain_add"


@pytest.fixture
def staff(world: World) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@operator.test", "x" * 20))
    return client


def adds(staff: Client, world: World, name: str) -> str:
    """What the page says, after it was asked to add this domain to Acme."""
    return staff.post(reverse(ADD), {"organization": world.acme.pk, "name": name}, follow=True).content.decode()


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        *(("Acme.test", "acme.test"), ("@acme.test", "acme.test"), ("acme.test.", "acme.test"), (" acme.test ", "acme.test")),
        *(("bücher.example", "xn--bcher-kva.example"), ("BÜCHER.example", "xn--bcher-kva.example")),
    ],
)  # fmt: skip
def test_a_domain_is_kept_as_its_addresses_are(world: World, staff: Client, written: str, kept: str) -> None:
    adds(staff, world, written)
    assert list(MailDomain.objects.values_list("organization", "name")) == [(world.acme.pk, kept)]
    assert AuditEvent.objects.get(event="mail_domain.created").target_name == kept
    made = asking(world.acme)("POST", "/Users", person(f"nora@{kept}"))
    assert made.status_code == 201, made.content


@pytest.mark.parametrize("written", ["a b", "acme", "a@b.test", "acme..test", ".", "@", "-.test", "é" * 70 + ".test"])
def test_what_is_no_domain_is_refused_with_a_sentence(world: World, staff: Client, written: str) -> None:
    assert "not a domain of mail addresses" in adds(staff, world, written)
    assert not MailDomain.objects.exists()


def test_one_domain_is_not_added_twice_however_it_is_written(world: World, staff: Client) -> None:
    MailDomain.objects.create(organization=world.other, name="acme.test")
    assert "already exists" in adds(staff, world, "@ACME.test.")
    assert MailDomain.objects.get().organization == world.other
