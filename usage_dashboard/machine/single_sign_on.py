"""Settings of a server for single sign-on → as django-allauth wants them."""

from typing import Any


def providers(server_url: str, name: str, client_id: str, client_secret: str) -> dict[str, Any]:
    """allauth's SOCIALACCOUNT_PROVIDERS: one OpenID Connect server, or none where `server_url` is empty."""
    app = {
        "provider_id": "sso",
        "name": name,
        "client_id": client_id,
        "secret": client_secret,
        "settings": {"server_url": server_url},
    }
    return {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app] if server_url else []}}
