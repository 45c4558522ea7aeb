"""The same thing done twice in one moment at the entrance: a second click, or two accounts that claim one mailbox."""

import pytest
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.models import User
from tests.database.at_once import at_once
from tests.entrance import SIGN_UP, confirm, sign_in
from tests.world import PASSWORD, make_world

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8  # of two each, within the limit of sign-ups


def test_two_clicks_on_sign_up_make_one_account_and_both_are_told_of_the_email() -> None:
    def click(number: int) -> str:
        answer = Client().post(SIGN_UP, {"email": f"new{number}@example.test", "password1": PASSWORD})
        return answer.headers.get("Location", "")

    assert at_once(click, click, rounds=ROUNDS) == [("/accounts/confirm-email/",) * 2] * ROUNDS
    assert User.objects.count() == ROUNDS
    assert len(mail.outbox) >= ROUNDS


def test_of_two_accounts_that_confirm_one_address_at_once_one_has_it() -> None:
    claims = [
        [
            EmailAddress.objects.create(
                user=User.objects.create_user(f"{name}{number}@example.test"), email=f"shared{number}@example.test"
            )
            for number in range(20)
        ]
        for name in ("one", "two")
    ]
    links = [
        [reverse("account_confirm_email", args=[EmailConfirmationHMAC(one).key]) for one in of_one] for of_one in claims
    ]

    def follow(which: int, number: int) -> int:
        return Client().post(links[which][number]).status_code

    answers = at_once(lambda number: follow(0, number), lambda number: follow(1, number), rounds=20)
    assert {status for both in answers for status in both} <= {302, 404}  # 404: the other one was quicker
    shared = EmailAddress.objects.filter(email__startswith="shared")
    assert [row.verified for row in shared] == [True] * 20


def test_a_person_who_chooses_two_main_addresses_at_once_has_one_of_them() -> None:
    rita = make_world().rita
    for number in range(ROUNDS):
        EmailAddress.objects.create(user=rita, email=f"rita{number}@company.test", verified=True)
    windows = [sign_in(rita.email)[0] for _ in range(2)]
    for window in windows:
        confirm(window)

    def choose(window: Client, number: int) -> int:
        sent = {"email": f"rita{number % ROUNDS}@company.test", "action_primary": ""}
        return window.post("/accounts/email/", sent).status_code

    answers = at_once(
        lambda number: choose(windows[0], number), lambda number: choose(windows[1], number + 1), rounds=ROUNDS
    )
    assert answers == [(302, 302)] * ROUNDS
    rita.refresh_from_db()
    assert EmailAddress.objects.get(user=rita, primary=True).email == rita.email
