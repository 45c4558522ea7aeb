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
COLUMNS = ", ".join(MEASURES)
SUMS = ", ".join(f"sum({measure})" for measure in MEASURES)
KEY_FIELDS = {
    "organization_id": models.BigIntegerField,
    "user_id": models.BigIntegerField,
    "hour": models.DateTimeField,
    "day": models.DateField,
    "sku_id": models.IntegerField,
}
# model → its key, the finer table that it is the sum of, and which rows of it
TABLES = {
    "UserHourlyUsage": (("organization_id", "user_id", "hour", "sku_id"), "hourly", "true"),
    "UserDailyUsage": (("organization_id", "user_id", "day", "sku_id"), "daily", "true"),
    "UntrackedHourlyUsage": (("organization_id", "hour", "sku_id"), "hourly", "api_key_id = 0"),
    "UntrackedDailyUsage": (("organization_id", "day", "sku_id"), "daily", "api_key_id = 0"),
    "OrganizationHourlyUsage": (("organization_id", "hour", "sku_id"), "hourly", "true"),
}


def make(name: str, key: tuple[str, ...]) -> migrations.CreateModel:
    pk = models.CompositePrimaryKey(*key, blank=True, editable=False, primary_key=True, serialize=False)
    return migrations.CreateModel(
        name=name,
        fields=[
            *((measure, models.DecimalField(decimal_places=0, max_digits=38)) for measure in MEASURES),
            ("pk", pk),
            *((field, KEY_FIELDS[field]()) for field in key),
        ],
        options={"abstract": False},
    )


def fill(name: str, key: tuple[str, ...], finer: str, rows: str) -> migrations.RunSQL:
    """Rollups follow from finer ones: what is there already is summed, so that old days and hours are whole too.

    Room is left in each page for the next version of its rows, as in the other rollups.
    """
    table, columns = f"metering_{name.lower()}", ", ".join(key)
    return migrations.RunSQL(
        f"""
        ALTER TABLE {table} SET (fillfactor = 60);
        INSERT INTO {table} ({columns}, {COLUMNS})
        SELECT {columns}, {SUMS} FROM metering_{finer}usage WHERE {rows} GROUP BY {columns} ORDER BY {columns}
        """,
        migrations.RunSQL.noop,
    )


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0004_verification"),
    ]

    operations = [
        *(make(name, key) for name, (key, _, _) in TABLES.items()),
        *(fill(name, *source) for name, source in TABLES.items()),
    ]
