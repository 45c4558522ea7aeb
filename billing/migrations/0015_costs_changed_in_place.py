"""Costs of a day change with every run that adds to it: they are changed in place, which leaves all indexes alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """An index on what has no amount would be written anew whenever an amount changes; the price does not, and is null for
    the same rows. Room in each page is for the next version of its rows."""

    dependencies = [("billing", "0014_chats_and_message_log")]

    operations = [
        migrations.RemoveIndex(model_name="dailycost", name="daily_cost_unpriced"),
        migrations.AddIndex(
            model_name="dailycost",
            index=models.Index(
                condition=models.Q(("unit_price__isnull", True)), fields=["sku_id"], name="daily_cost_unpriced"
            ),
        ),
        migrations.RunSQL("ALTER TABLE billing_dailycost SET (fillfactor = 60)", migrations.RunSQL.noop),
    ]
