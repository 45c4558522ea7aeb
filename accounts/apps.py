import logging
import sys
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's name for a level of checks

from accounts.installation.notices import notices

logger = logging.getLogger(__name__)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Listens to the library, and tells the operator in each program's log; commands tell through the check."""
        from accounts.entrance import hooks  # noqa: PLC0415 - it needs the models, which are there from now on

        hooks.connect()
        register(settings_are_safe)
        if Path(sys.argv[0]).name != "manage.py":
            for notice in notices():
                logger.warning(notice)


def settings_are_safe(**_kwargs: Any) -> list[CheckMessage]:
    return [Warning(notice, id="accounts.W001") for notice in notices()]
