import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models.functions import Now

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
KEY_FIELDS = {
    "organization_id": models.BigIntegerField,
    "user_id": models.BigIntegerField,
    "api_key_id": models.BigIntegerField,
    "attribution_id": models.IntegerField,
    "attribute_id": models.IntegerField,
    "value_id": models.IntegerField,
    "hour": models.DateTimeField,
    "day": models.DateField,
    "month": models.DateField,
    "sku_id": models.IntegerField,
}
ROLLUPS = {
    "AttributedHourlyUsage": ("organization_id", "hour", "user_id", "api_key_id", "attribution_id", "sku_id"),
    "AttributedDailyUsage": ("organization_id", "day", "user_id", "api_key_id", "attribution_id", "sku_id"),
    "ValueHourlyUsage": ("organization_id", "attribute_id", "hour", "value_id", "sku_id"),
    "ValueDailyUsage": ("organization_id", "attribute_id", "day", "value_id", "sku_id"),
    "ValueMonthlyUsage": ("organization_id", "attribute_id", "month", "value_id", "sku_id"),
}


def key_of(*fields: str) -> models.CompositePrimaryKey:
    return models.CompositePrimaryKey(*fields, blank=True, editable=False, primary_key=True, serialize=False)


def make(name: str, key: tuple[str, ...]) -> migrations.CreateModel:
    return migrations.CreateModel(
        name=name,
        fields=[
            *((measure, models.DecimalField(decimal_places=0, max_digits=38)) for measure in MEASURES),
            ("pk", key_of(*key)),
            *((field, KEY_FIELDS[field]()) for field in key),
        ],
        options={"abstract": False},
    )


def leave_room(name: str) -> migrations.RunSQL:
    """In each page, for the next version of its rows: an update in place leaves the index alone."""
    return migrations.RunSQL(f"ALTER TABLE metering_{name.lower()} SET (fillfactor = 60)", migrations.RunSQL.noop)


class Migration(migrations.Migration):
    """What is stored already is of no project and has no attributes: a constant default, so that no row is written again."""

    dependencies = [
        ("metering", "0008_service_tier_words_and_units"),
    ]

    operations = [
        migrations.AddField("usageevent", "attribution_id", models.IntegerField(db_default=0)),
        *(make(name, key) for name, key in ROLLUPS.items()),
        *(leave_room(name) for name in ROLLUPS),
        migrations.AddIndex(
            "attributeddailyusage",
            models.Index(fields=["organization_id", "api_key_id", "day"], name="attributed_daily_by_key"),
        ),
        migrations.CreateModel(
            name="AttributeValue",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("value", models.CharField(max_length=64)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("value",), name="attribute_value_unique")],
            },
        ),
        migrations.CreateModel(
            name="AttributeValueMonth",
            fields=[
                ("pk", key_of("attribute_id", "month", "value_id")),
                ("attribute_id", models.IntegerField()),
                ("month", models.DateField()),
                ("value_id", models.IntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Attribution",
            fields=[
                ("id", models.AutoField(primary_key=True, serialize=False)),
                ("organization_id", models.BigIntegerField()),
                ("parts", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ("created_at", models.DateTimeField(db_default=Now(), editable=False)),
            ],
            options={
                "indexes": [models.Index(fields=["organization_id", "created_at"], name="attribution_by_organization")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "parts"), name="attribution_unique")
                ],
            },
        ),
        migrations.CreateModel(
            name="AttributionPart",
            fields=[
                ("pk", key_of("attribution_id", "attribute_id")),
                ("attribution_id", models.IntegerField()),
                ("attribute_id", models.IntegerField()),
                ("value_id", models.IntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["attribute_id", "value_id"], name="attribution_part_by_value")],
            },
        ),
        migrations.CreateModel(
            name="UndeclaredAttribute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("organization_id", models.BigIntegerField()),
                ("name", models.CharField(max_length=64)),
                ("num_events", models.BigIntegerField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization_id", "name"), name="undeclared_attribute_unique")
                ],
            },
        ),
    ]
