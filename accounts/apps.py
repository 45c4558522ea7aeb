import logging
import sys
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's name for a level of checks

from accounts import mail

logger = logging.getLogger(__name__)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Listens to the library, and says in each program's log where e-mail goes; commands say that through the check."""
        from accounts import security_hooks  # noqa: PLC0415 - it needs the models, which are there from now on

        security_hooks.connect()
        register(mail_is_sent)
        if mail.is_only_logged() and Path(sys.argv[0]).name != "manage.py":
            logger.warning(mail.ONLY_LOGGED)


def mail_is_sent(**_kwargs: Any) -> list[CheckMessage]:
    return [Warning(mail.ONLY_LOGGED, id="accounts.W001")] if mail.is_only_logged() else []
