import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0010_complete_measures_and_price_words"),
    ]

    operations = [
        migrations.CreateModel(
            name="IngestCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "grain",
                        "began_at",
                        "source",
                        "token_id",
                        "kind",
                        "code",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("grain", models.CharField(max_length=6)),
                ("began_at", models.DateTimeField()),
                ("source", models.CharField(max_length=20)),
                ("token_id", models.BigIntegerField()),
                ("kind", models.CharField(max_length=12)),
                ("code", models.CharField(blank=True, max_length=60)),
                ("number", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="RefusedItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("source", models.CharField(max_length=20)),
                ("token_id", models.BigIntegerField()),
                ("organization_id", models.BigIntegerField()),
                ("code", models.CharField(max_length=60)),
                ("message", models.CharField(max_length=300)),
                ("key", models.CharField(blank=True, max_length=40)),
                ("event_id", models.CharField(blank=True, max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="UnknownKey",
            fields=[
                ("key", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("source", models.CharField(max_length=20)),
                ("token_id", models.BigIntegerField()),
                ("num_events", models.BigIntegerField()),
                ("first_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("last_seen_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        # Rows of now are updated about once a second: room beside them keeps the updates out of the index.
        migrations.RunSQL("ALTER TABLE metering_ingestcount SET (fillfactor = 60)", migrations.RunSQL.noop),
        migrations.RunSQL("ALTER TABLE metering_refuseditem SET UNLOGGED", migrations.RunSQL.noop),
    ]
