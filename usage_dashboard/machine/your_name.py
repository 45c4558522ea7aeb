"""Settings that say whose the installation is → `accounts.installation.brand`."""

from typing import Final

from accounts.installation import brand as brands
from accounts.installation import colors, paper_logo
from usage_dashboard.environment import Environment

PRODUCT: Final = brands.Brand("Usage Dashboard")
DEMO: Final = brands.Brand("Northwind AI", support_url="mailto:support@northwind.test")


def brand(env: Environment, *, demo: bool) -> brands.Brand:
    """What the operator says; for the rest the product's own, or the demo's."""
    default = DEMO if demo else PRODUCT
    logo = env.read("SITE_LOGO", brands.image, default=None)
    return brands.Brand(
        name=env.read("SITE_NAME", brands.name, default=default.name),
        logo=logo,
        icon=env.read("SITE_ICON", brands.image, default=None),
        accent=env.read("SITE_ACCENT", colors.accent, default=None),
        support_url=env.read("SUPPORT_URL", brands.link, default=default.support_url),
        terms_url=env.read("TERMS_URL", brands.link, default=""),
        privacy_url=env.read("PRIVACY_URL", brands.link, default=""),
        paper_logo=env.read("INVOICE_LOGO", paper_logo.of_file, default=None) or paper_logo.of_logo(logo),
    )


def seller(brand: brands.Brand) -> str:
    """Who issues invoices where nothing else is said."""
    return "The operator of this API" if brand.name == PRODUCT.name else brand.name
