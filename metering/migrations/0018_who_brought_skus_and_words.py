import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Of SKUs and words from before nobody knows who brought them: they count towards nobody's limit."""

    dependencies = [
        ("metering", "0017_plural_of_batches"),
    ]

    operations = [
        *(
            migrations.AddField(model, "brought_by", models.BigIntegerField(editable=False, null=True))
            for model in ("sku", "servicetierword", "priceword")
        ),
        migrations.AddField(
            model_name="sku",
            name="brought_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
        ),
        migrations.AddIndex(
            model_name="sku",
            index=models.Index(fields=["brought_by", "brought_at"], name="sku_by_organization"),
        ),
    ]
