"""Whether an organization has ever had usage."""

from metering.models import OrganizationDailyUsage


def has_usage(organization_id: int) -> bool:
    """As far as the rollups are, which keep every day."""
    return OrganizationDailyUsage.objects.filter(organization_id=organization_id).exists()
