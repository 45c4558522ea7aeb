"""Celery only triggers. Each task calls a domain function that is safe to run twice, or never; how much some did is measured."""

from celery import shared_task

from accounts.clock import database_now
from billing import proof
from billing.at_once import turn
from billing.budgets import checks, looks
from billing.invoices import closing
from billing.notices import deliveries, failures, key_news, lag
from billing.prices import new_models, rerating, unpriced


@shared_task(name="billing.tasks.roll_up")
def roll_up() -> int:
    return turn.take() or 0


@shared_task(name="billing.tasks.price_new_models")
def price_new_models() -> None:
    new_models.price_next()


@shared_task(name="billing.tasks.re_rate")
def re_rate() -> None:
    rerating.re_rate_waiting()


@shared_task(name="billing.tasks.check_budgets")
def check_budgets() -> None:
    looks.take_all()


@shared_task(name="billing.tasks.check_all_budgets")
def check_all_budgets() -> None:
    checks.check()


@shared_task(name="billing.tasks.deliver_mails")
def deliver_mails() -> int:
    return deliveries.deliver_mails()


@shared_task(name="billing.tasks.deliver_webhooks")
def deliver_webhooks() -> int:
    return deliveries.deliver_webhooks()


@shared_task(name="billing.tasks.close_months")
def close_months() -> None:
    closing.close_ended_months(database_now())


@shared_task(name="billing.tasks.verify")
def verify() -> None:
    proof.prove_and_store()


@shared_task(name="billing.tasks.check_forecasts")
def check_forecasts() -> None:
    checks.check_forecasts(database_now())


@shared_task(name="billing.tasks.check_unpriced")
def check_unpriced() -> None:
    unpriced.check()


@shared_task(name="billing.tasks.check_failures")
def check_failures() -> None:
    failures.check()


@shared_task(name="billing.tasks.check_lag")
def check_lag() -> None:
    lag.check(database_now())


@shared_task(name="billing.tasks.tell_of_keys")
def tell_of_keys() -> None:
    key_news.check()
