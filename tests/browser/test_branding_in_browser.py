"""The operator's name, logo and colour on real pages: they load, they are readable, and nothing of ours is left."""

import pytest
from pytest_django import Settings

from accounts.installation.brand import Brand, Image
from accounts.installation.colors import accent
from tests.browser.conftest import OpenBrowser
from tests.browser.scene import Scene
from tests.browser.test_page_quality import LOOKS, violations

LOGO = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 24" width="120" height="24">
<style>path { fill: #7c3aed }</style><path d="M0 0h120v24H0z"/></svg>"""


@pytest.fixture
def ours(settings: Settings) -> Brand:
    settings.BRAND = Brand(
        "Northwind AI",
        logo=Image(LOGO, "image/svg+xml"),
        icon=Image(LOGO, "image/svg+xml"),
        accent=accent("#7c3aed"),
        support_url="mailto:help@northwind.test",
        terms_url="https://northwind.test/terms",
        privacy_url="https://northwind.test/privacy",
    )
    return settings.BRAND  # type: ignore[no-any-return]


@pytest.mark.parametrize("address", ["/settings/organization/acme/usage/cost/", "/settings/profile/"])
def test_a_page_under_the_operator_s_name_is_accessible_in_both_themes(
    ours: Brand, browse: OpenBrowser, scene: Scene, address: str
) -> None:
    window = browse(scene.world.alice)
    page = window.open(address)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        window.settle()
        assert violations(page) == [], f"{width} px, {scheme}"
    logo = page.locator(".top-bar img.logo")
    assert logo.evaluate("image => [image.complete, image.naturalWidth]") == [True, 120]
    accent_of = "getComputedStyle(document.querySelector('.badge')).color"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(accent_of) == "rgb(124, 58, 237)"
    assert "Usage Dashboard" not in page.content()
