from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0002_monthly_usage"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="dailyusage",
            index=models.Index(fields=["organization_id", "user_id", "day"], name="daily_usage_by_user"),
        ),
    ]
