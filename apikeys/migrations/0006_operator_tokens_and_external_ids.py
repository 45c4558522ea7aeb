import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.public_ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0008_external_ids"),
        ("apikeys", "0005_admin_keys"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="OperatorToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "public_id",
                    models.CharField(default=accounts.public_ids.operator_token_id, editable=False, max_length=32),
                ),
                ("name", models.CharField(max_length=120)),
                ("digest", models.BinaryField(max_length=32)),
                ("redacted", models.CharField(editable=False, max_length=20)),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("read", "Read everything below"),
                                ("organizations", "Organizations, their payers and billing details"),
                                ("prices", "Organizations' own prices"),
                                ("users", "Users"),
                                ("memberships", "Memberships and default organizations"),
                                ("projects", "Projects"),
                                ("api_keys", "API keys"),
                                ("admin_keys", "Admin keys"),
                                ("ingest_tokens", "Ingest tokens"),
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
            ],
        ),
        migrations.AddField(
            model_name="adminkey",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="ingesttoken",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddConstraint(
            model_name="adminkey",
            constraint=models.UniqueConstraint(fields=("external_id",), name="admin_key_external_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(fields=("external_id",), name="api_key_external_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="ingesttoken",
            constraint=models.UniqueConstraint(fields=("external_id",), name="ingest_token_external_id_unique"),
        ),
        migrations.AddField(
            model_name="operatortoken",
            name="created_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="operatortoken",
            constraint=models.UniqueConstraint(fields=("public_id",), name="operator_token_public_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="operatortoken",
            constraint=models.UniqueConstraint(fields=("digest",), name="operator_token_digest_unique"),
        ),
        migrations.AddConstraint(
            model_name="operatortoken",
            constraint=models.CheckConstraint(
                condition=models.Q(("name", ""), _negated=True), name="operator_token_named"
            ),
        ),
        migrations.AddConstraint(
            model_name="operatortoken",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "scopes__contained_by",
                        [
                            "read",
                            "organizations",
                            "prices",
                            "users",
                            "memberships",
                            "projects",
                            "api_keys",
                            "admin_keys",
                            "ingest_tokens",
                        ],
                    ),
                    ("scopes__len__gt", 0),
                ),
                name="operator_token_scopes_known",
            ),
        ),
    ]
