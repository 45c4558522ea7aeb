from django.apps import AppConfig

from billing.money import keep_all_digits


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        keep_all_digits()
