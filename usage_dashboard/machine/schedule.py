"""When each task has its turn. Times of day are UTC."""

from typing import Any

from celery.schedules import crontab


def of(*, roll_up: float, measure: float) -> dict[str, dict[str, Any]]:
    """Celery's schedule, with the seconds between two turns of what operators set themselves."""
    return {
        "roll-up": {"task": "billing.tasks.roll_up", "schedule": roll_up},
        "price-new-models": {"task": "billing.tasks.price_new_models", "schedule": 1.0},
        "summarize": {"task": "metering.tasks.summarize", "schedule": 10.0},
        "make-partitions": {"task": "metering.tasks.make_partitions", "schedule": 3600.0},
        "drop-old": {"task": "metering.tasks.drop_old", "schedule": crontab(hour="2", minute="30")},
        "drop-old-security-events": {
            "task": "accounts.tasks.drop_old_security_events",
            "schedule": crontab(hour="2", minute="45"),
        },
        "drop-expired-values": {"task": "accounts.tasks.drop_expired_values", "schedule": 3600.0},
        "verify": {"task": "billing.tasks.verify", "schedule": crontab(hour="3", minute="30")},
        "re-rate": {"task": "billing.tasks.re_rate", "schedule": 5.0},
        "check-budgets": {"task": "billing.tasks.check_budgets", "schedule": 60.0},
        "check-all-budgets": {"task": "billing.tasks.check_all_budgets", "schedule": crontab(minute="1")},
        "check-unpriced": {"task": "billing.tasks.check_unpriced", "schedule": 60.0},
        "check-failures": {"task": "billing.tasks.check_failures", "schedule": 60.0},
        "check-lag": {"task": "billing.tasks.check_lag", "schedule": 60.0},
        "tell-of-keys": {"task": "billing.tasks.tell_of_keys", "schedule": 15.0},
        "check-forecasts": {"task": "billing.tasks.check_forecasts", "schedule": 3600.0},
        "deliver-mails": {"task": "billing.tasks.deliver_mails", "schedule": 2.0},
        "deliver-webhooks": {"task": "billing.tasks.deliver_webhooks", "schedule": 2.0},
        "measure": {"task": "usage_dashboard.tasks.measure", "schedule": measure},
        "close-months": {"task": "billing.tasks.close_months", "schedule": 3600.0},
    }
