from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0006_failed_item"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyMinute",
            fields=[
                ("api_key_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("minute", models.DateTimeField()),
                ("num_events", models.BigIntegerField()),
                ("num_units", models.BigIntegerField()),
            ],
        ),
        migrations.RunSQL("ALTER TABLE metering_keyminute SET UNLOGGED", migrations.RunSQL.noop),
        migrations.AddField(
            model_name="model",
            name="organization_id",
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="model",
            index=models.Index(fields=["organization_id", "created_at"], name="model_by_organization"),
        ),
    ]
