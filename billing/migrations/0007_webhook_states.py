from django.db import migrations, models
from django.db.models import Q

from accounts.installation import encryption

PURPOSE = "webhook secrets"


def encrypt(apps, _schema_editor):
    for endpoint in apps.get_model("billing", "WebhookEndpoint").objects.iterator():
        endpoint.encrypted_secret = encryption.encrypt(endpoint.secret, purpose=PURPOSE)
        endpoint.save(update_fields=["encrypted_secret"])


def decrypt(apps, _schema_editor):
    for endpoint in apps.get_model("billing", "WebhookEndpoint").objects.iterator():
        endpoint.secret = encryption.decrypt(endpoint.encrypted_secret, purpose=PURPOSE)
        endpoint.save(update_fields=["secret"])


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_wide_amounts_and_held_invoices")]
    operations = [
        migrations.AddField("webhookendpoint", "failing_since", models.DateTimeField(null=True)),
        migrations.AddField("webhookendpoint", "num_failures", models.IntegerField(default=0)),
        migrations.AddField("webhookendpoint", "retry_at", models.DateTimeField(null=True)),
        migrations.AddField("webhookendpoint", "last_error", models.CharField(blank=True, max_length=200)),
        migrations.AddField("webhookendpoint", "switched_off_at", models.DateTimeField(null=True)),
        migrations.AddField("delivery", "claimed_until", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "delivery",
            models.Index(fields=["claimed_until"], condition=Q(claimed_until__isnull=False), name="delivery_claimed"),
        ),
        migrations.AddField(
            "webhookendpoint",
            "encrypted_secret",
            models.CharField(default="", max_length=300),
            preserve_default=False,
        ),
        migrations.AlterField("webhookendpoint", "secret", models.CharField(default="", max_length=80)),
        migrations.RunPython(encrypt, decrypt),
        migrations.RemoveField("webhookendpoint", "secret"),
    ]
