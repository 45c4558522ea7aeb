from django.db import migrations, models

MEASURES = (
    "input_cache_write_long_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "output_image_tokens",
    "output_reasoning_tokens",
)
ROLLUPS = (
    *("hourlyusage", "dailyusage", "monthlyusage"),
    *("userhourlyusage", "userdailyusage"),
    *("untrackedhourlyusage", "untrackeddailyusage"),
    *("organizationhourlyusage", "organizationdailyusage"),
    *("attributedhourlyusage", "attributeddailyusage"),
    *("valuehourlyusage", "valuedailyusage", "valuemonthlyusage"),
)
DIMENSIONS = [(1, "provider"), (2, "speed"), (3, "region")]


def zero() -> "models.DecimalField[int, int]":
    return models.DecimalField(db_default=0, decimal_places=0, max_digits=38)


class Migration(migrations.Migration):
    """Columns with a constant default take no time, however many rows there are. Usage from before has nothing of the new
    measures, and says nothing of provider, speed and region. Numbers of words begin behind those that are built in."""

    dependencies = [
        ("metering", "0009_projects_and_attributes"),
    ]

    operations = [
        migrations.CreateModel(
            name="PriceWord",
            fields=[
                ("id", models.SmallAutoField(primary_key=True, serialize=False)),
                ("dimension", models.SmallIntegerField(choices=DIMENSIONS)),
                ("word", models.CharField(max_length=40)),
            ],
        ),
        migrations.AddConstraint(
            model_name="priceword",
            constraint=models.UniqueConstraint(fields=("dimension", "word"), name="price_word_unique"),
        ),
        migrations.RunSQL(
            "ALTER TABLE metering_priceword ALTER COLUMN id SET START WITH 100 RESTART WITH 100",
            migrations.RunSQL.noop,
        ),
        *(migrations.AddField("usageevent", measure, models.BigIntegerField(null=True)) for measure in MEASURES),
        *(migrations.AddField(rollup, measure, zero()) for rollup in ROLLUPS for measure in MEASURES),
        *(
            migrations.AddField("sku", dimension, models.SmallIntegerField(db_default=0, default=0))
            for _, dimension in DIMENSIONS
        ),
        migrations.RemoveConstraint(model_name="sku", name="sku_unique"),
        migrations.AddConstraint(
            model_name="sku",
            constraint=models.UniqueConstraint(
                fields=(
                    *("model", "usage_type", "service_tier", "batch", "context_band", "in_both_units"),
                    *("provider", "speed", "region"),
                ),
                name="sku_unique",
            ),
        ),
    ]
