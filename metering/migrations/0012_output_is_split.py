from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("metering", "0011_what_came_in"),
    ]

    operations = [
        migrations.AddField("sku", "output_is_split", models.BooleanField(db_default=False, default=False)),
        migrations.RemoveConstraint(model_name="sku", name="sku_unique"),
        migrations.AddConstraint(
            model_name="sku",
            constraint=models.UniqueConstraint(
                fields=(
                    *("model", "usage_type", "service_tier", "batch", "context_band", "in_both_units"),
                    *("provider", "speed", "region", "output_is_split"),
                ),
                name="sku_unique",
            ),
        ),
    ]
