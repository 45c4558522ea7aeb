import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import Now

LINE_ITEMS = [
    (1, "input"),
    (2, "cached input"),
    (3, "cache write"),
    (4, "audio input"),
    (5, "output"),
    (6, "audio output"),
    (7, "request"),
    (8, "image"),
    (9, "second"),
    (10, "character"),
    (11, "byte-day"),
    (12, "session"),
    (13, "long cache write"),
    (14, "image input"),
    (15, "video input"),
    (16, "image output"),
]
DIMENSIONS = ("provider", "speed", "region")


class Migration(migrations.Migration):
    """Prices from before hold for every provider, speed and region."""

    dependencies = [
        ("billing", "0011_quick_webhooks"),
        ("metering", "0012_output_is_split"),
    ]

    operations = [
        migrations.CreateModel(
            name="ProviderPriceSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="metering.model"
                    ),
                ),
                ("provider", models.SmallIntegerField()),
                ("release", models.CharField(max_length=60)),
                ("checked_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
        ),
        migrations.AddConstraint(
            model_name="providerpricesource",
            constraint=models.UniqueConstraint(fields=("model", "provider"), name="provider_price_source_unique"),
        ),
        *(
            migrations.AddField("price", dimension, models.SmallIntegerField(blank=True, null=True))
            for dimension in DIMENSIONS
        ),
        *(
            migrations.AlterField(model, "line_item", models.SmallIntegerField(choices=LINE_ITEMS))
            for model in ("costadjustment", "dailycost", "invoiceline", "price")
        ),
        migrations.RemoveConstraint(model_name="price", name="price_unique"),
        migrations.AddConstraint(
            model_name="price",
            constraint=models.UniqueConstraint(
                fields=(
                    *("model", "line_item", "organization", "usage_type", "service_tier", "batch"),
                    *("provider", "speed", "region", "context_band", "effective_date"),
                ),
                name="price_unique",
                nulls_distinct=False,
            ),
        ),
    ]
