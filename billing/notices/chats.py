"""News as chats show them: the bodies that incoming webhooks of Slack, Microsoft Teams and Discord take.

Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (blocks of plain text: names in it are no
mentions and no links). Teams: https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
(an adaptive card 1.4 in a message, as workflows take it). Discord: https://docs.discord.com/developers/resources/webhook#execute-webhook
(an embed; nobody is mentioned).
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings

from billing.alerts import WebhookFormat

MOST_SLACK_TITLE: Final = 150
MOST_SLACK_TEXT: Final = 2900
MOST_DISCORD_TITLE: Final = 250
MOST_DISCORD_TEXT: Final = 4000
MARKUP: Final = re.compile(r"([\\`*_{}\[\]()#+\-.!|>~<@:])")
ACCENT: Final = 0x0B6B5D


def body_of(chat: str, *, subject: str, text: str, address: str) -> str:
    """What is POSTed to the chat, as JSON. `text` is plain text, `address` where the button leads."""
    return json.dumps(BODIES[chat](subject, text, address), separators=(",", ":"))


def chat_at(host: str, path: str) -> WebhookFormat | None:
    """The chat whose incoming webhooks are at such addresses; None for everybody else's."""
    if host == "hooks.slack.com":
        return WebhookFormat.SLACK
    if host in ("discord.com", "discordapp.com") and path.startswith("/api/webhooks/"):
        return WebhookFormat.DISCORD
    if host.endswith((".webhook.office.com", ".logic.azure.com", ".api.powerplatform.com")):
        return WebhookFormat.TEAMS
    return None


def _slack(subject: str, text: str, address: str) -> dict[str, Any]:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Open"}, "url": address}
    return {
        "text": _slack_escaped(subject),
        "blocks": [
            {"type": "header", "text": _slack_plain(subject, MOST_SLACK_TITLE)},
            {"type": "section", "text": _slack_plain(text, MOST_SLACK_TEXT)},
            {"type": "actions", "elements": [button]},
        ],
    }


def _slack_plain(text: str, most: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _cut(text, most), "emoji": False}


def _slack_escaped(text: str) -> str:
    """The three characters with which mentions and links begin in Slack's own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(subject: str, text: str, address: str) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": _unmarked(subject), "size": "Medium", "weight": "Bolder", "wrap": True},
            {"type": "TextBlock", "text": _unmarked(text), "wrap": True},
        ],
        "actions": [{"type": "Action.OpenUrl", "title": "Open", "url": address}],
    }
    content_type = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": content_type, "contentUrl": None, "content": card}]}


def _discord(subject: str, text: str, address: str) -> dict[str, Any]:
    accent = settings.BRAND.accent
    embed = {
        "title": _cut(_unmarked(subject), MOST_DISCORD_TITLE),
        "description": _cut(_unmarked(text), MOST_DISCORD_TEXT),
        "url": address,
        "color": int(accent.light[1:], 16) if accent else ACCENT,
    }
    return {"embeds": [embed], "allowed_mentions": {"parse": []}}


def _unmarked(text: str) -> str:
    """The text as it reads, where Markdown would make something else of it: names are somebody's free text."""
    return MARKUP.sub(r"\\\1", text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


BODIES: Final[Mapping[str, Callable[[str, str, str], dict[str, Any]]]] = {
    WebhookFormat.SLACK: _slack,
    WebhookFormat.TEAMS: _teams,
    WebhookFormat.DISCORD: _discord,
}
