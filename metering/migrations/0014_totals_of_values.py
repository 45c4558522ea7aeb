from django.db import migrations, models

MEASURES = (
    "num_model_requests",
    "input_tokens",
    "input_cached_tokens",
    "input_cache_write_tokens",
    "input_audio_tokens",
    "output_tokens",
    "output_audio_tokens",
    "images",
    "seconds",
    "characters",
    "usage_bytes",
    "num_sessions",
)
LATER_MEASURES = (
    "input_cache_write_long_tokens",
    "input_image_tokens",
    "input_video_tokens",
    "output_image_tokens",
    "output_reasoning_tokens",
)
COLUMNS = ", ".join(MEASURES + LATER_MEASURES)
SUMS = ", ".join(f"sum({measure})" for measure in MEASURES + LATER_MEASURES)
ALL = -2
KEY = ("organization_id", "attribute_id", "month", "value_id", "usage_type")
# All values of an attribute together: one more row for each hour, day and month of it.
ALL_VALUES = "; ".join(
    f"""
    INSERT INTO metering_value{table}usage (organization_id, attribute_id, {slot}, value_id, sku_id, {COLUMNS})
    SELECT organization_id, attribute_id, {slot}, {ALL}, sku_id, {SUMS} FROM metering_value{table}usage
    GROUP BY organization_id, attribute_id, {slot}, sku_id
    """
    for table, slot in (("hourly", "hour"), ("daily", "day"), ("monthly", "month"))
)
NO_ALL_VALUES = "; ".join(
    f"DELETE FROM metering_value{table}usage WHERE value_id = {ALL}" for table in ("hourly", "daily", "monthly")
)
# The months by SKU are there already. Room is left in each page for the next version of its rows, as in the other rollups.
FILL = f"""
ALTER TABLE metering_valuemonthlytotal SET (fillfactor = 60);
INSERT INTO metering_valuemonthlytotal ({", ".join(KEY)}, {COLUMNS})
SELECT {", ".join(KEY)}, {SUMS} FROM metering_valuemonthlyusage JOIN metering_sku AS sku ON sku.id = sku_id
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0013_sums_of_64_bits"),
    ]

    operations = [
        migrations.RunSQL(ALL_VALUES, NO_ALL_VALUES),
        migrations.CreateModel(
            name="ValueMonthlyTotal",
            fields=[
                *((measure, models.DecimalField(decimal_places=0, max_digits=38)) for measure in MEASURES),
                *(
                    (measure, models.DecimalField(db_default=0, decimal_places=0, max_digits=38))
                    for measure in LATER_MEASURES
                ),
                (
                    "pk",
                    models.CompositePrimaryKey(*KEY, blank=True, editable=False, primary_key=True, serialize=False),
                ),
                ("organization_id", models.BigIntegerField()),
                ("attribute_id", models.IntegerField()),
                ("month", models.DateField()),
                ("value_id", models.IntegerField()),
                ("usage_type", models.SmallIntegerField()),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
