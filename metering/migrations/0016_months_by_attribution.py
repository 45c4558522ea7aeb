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
KEY = ("organization_id", "month", "attribution_id", "user_id", "api_key_id", "usage_type")
# The days are there already. Room is left in each page for the next version of its rows, as in the other rollups.
FILL = f"""
ALTER TABLE metering_attributedmonthlytotal SET (fillfactor = 60);
INSERT INTO metering_attributedmonthlytotal ({", ".join(KEY)}, {COLUMNS})
SELECT organization_id, date_trunc('month', day::timestamp)::date, attribution_id, user_id, api_key_id, usage_type, {SUMS}
FROM metering_attributeddailyusage JOIN metering_sku AS sku ON sku.id = sku_id
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0015_when_batches_were_rolled_up"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttributedMonthlyTotal",
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
                ("month", models.DateField()),
                ("attribution_id", models.IntegerField()),
                ("user_id", models.BigIntegerField()),
                ("api_key_id", models.BigIntegerField()),
                ("usage_type", models.SmallIntegerField()),
            ],
            options={"abstract": False},
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name="attributeddailyusage",
            index=models.Index(fields=["organization_id", "attribution_id", "day"], name="attributed_daily_by_purpose"),
        ),
    ]
