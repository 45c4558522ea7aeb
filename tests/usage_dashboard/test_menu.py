"""The menu: each page is called there what its heading calls it."""

import re
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import User
from accounts.pages.menu import Page
from tests.world import World
from usage_dashboard.menu import MENU

OF_ORGANIZATIONS = [
    page for page in MENU.organization if page.name != MENU.usage
]  # its views are named below the heading


@pytest.mark.parametrize("page", [*OF_ORGANIZATIONS, *MENU.user, *MENU.staff], ids=lambda page: page.name)
def test_a_page_has_the_name_that_the_menu_has_for_it(world: World, client_of: Any, page: Page) -> None:
    User.objects.filter(pk=world.alice.pk).update(is_staff=True, is_superuser=True)
    address = reverse(page.name, args=[world.acme.slug] if page in OF_ORGANIZATIONS else [])
    shown = client_of(User.objects.get(pk=world.alice.pk)).get(address).content.decode()
    (heading,) = re.findall("<h1[^>]*>(.*?)</h1>", shown, re.DOTALL)
    assert " ".join(heading.split()) == page.label
