"""SKUs of every kind, for tests of the exports."""

from metering.measures import ServiceTier, UsageType
from metering.models import Model, Sku


def make_sku(
    model: str = "gpt-4o",
    usage_type: UsageType = UsageType.COMPLETIONS,
    *,
    service_tier: ServiceTier = ServiceTier.DEFAULT,
    batch: bool = False,
    context_band: int = 0,
) -> Sku:
    """The SKU, made when it is not there yet."""
    found, _ = Model.objects.get_or_create(name=model)
    sku, _ = Sku.objects.get_or_create(
        model=found, usage_type=usage_type, service_tier=service_tier, batch=batch, context_band=context_band
    )
    return sku
