import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.public_ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_projects_and_attributes"),
        ("apikeys", "0004_key_attributions"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="AdminKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(default=accounts.public_ids.admin_key_id, editable=False, max_length=32),
                ),
                ("name", models.CharField(max_length=255)),
                ("digest", models.BinaryField(max_length=32)),
                ("redacted", models.CharField(editable=False, max_length=20)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("usage", "Usage"),
                                ("costs", "Costs"),
                                ("invoices", "Invoices"),
                                ("members", "Members, keys and projects"),
                            ],
                            max_length=20,
                        ),
                        size=None,
                    ),
                ),
                ("created_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField(blank=True, null=True)),
                ("expires_at", models.DateTimeField(blank=True, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("minute_began_at", models.DateTimeField(editable=False, null=True)),
                ("num_in_minute", models.IntegerField(default=0, editable=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="admin_keys",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("public_id",), name="admin_key_public_id_unique"),
                    models.UniqueConstraint(fields=("digest",), name="admin_key_digest_unique"),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="admin_key_named"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("scopes__contained_by", ["usage", "costs", "invoices", "members"]), ("scopes__len__gt", 0)
                        ),
                        name="admin_key_scopes_known",
                    ),
                ],
            },
        ),
    ]
