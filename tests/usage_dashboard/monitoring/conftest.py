"""An installation that a Prometheus may ask."""

import pytest
from pytest_django import Settings

from tests.usage_dashboard.monitoring.scrape import TOKEN


@pytest.fixture
def measured(settings: Settings) -> Settings:
    settings.METRICS_TOKEN = TOKEN
    return settings
