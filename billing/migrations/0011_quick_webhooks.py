from django.db import migrations, models

# Endpoints that work are taken to be quick until their next message tells; otherwise all would share a few places.
WORKING = """
UPDATE billing_webhookendpoint AS endpoint SET is_quick = true
WHERE failing_since IS NULL
    AND EXISTS (SELECT FROM billing_delivery WHERE endpoint_id = endpoint.id AND delivered_at IS NOT NULL)
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0010_included_prices")]
    operations = [
        migrations.AddField("webhookendpoint", "is_quick", models.BooleanField(default=False)),
        migrations.RunSQL(WORKING, migrations.RunSQL.noop),
    ]
