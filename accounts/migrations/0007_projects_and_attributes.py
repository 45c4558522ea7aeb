import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.db import migrations, models

import accounts.public_ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_routing_changes"),
    ]

    operations = [
        migrations.CreateModel(
            name="Attribute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=32)),
                ("title", models.CharField(max_length=60)),
                ("declared_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attributes",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "name"), name="attribute_name_unique"),
                    models.CheckConstraint(
                        condition=models.Q(("name__regex", "^[a-z][a-z0-9_]{0,31}$")), name="attribute_name_form"
                    ),
                    models.CheckConstraint(condition=models.Q(("title", ""), _negated=True), name="attribute_titled"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.CharField(default=accounts.public_ids.project_id, editable=False, max_length=32)),
                ("name", models.CharField(max_length=120)),
                ("is_default", models.BooleanField(default=False)),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("archived_at", models.DateTimeField(blank=True, null=True)),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="projects", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("public_id",), name="project_public_id_unique"),
                    models.UniqueConstraint(fields=("id", "organization"), name="project_of_organization"),
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("organization",),
                        name="project_default_unique",
                    ),
                    models.UniqueConstraint(
                        models.F("organization"),
                        django.db.models.functions.text.Lower("name"),
                        condition=models.Q(("archived_at__isnull", True)),
                        name="project_active_name_unique",
                    ),
                    models.CheckConstraint(condition=models.Q(("name", ""), _negated=True), name="project_named"),
                    models.CheckConstraint(
                        condition=models.Q(("is_default", False), ("archived_at__isnull", True), _connector="OR"),
                        name="project_default_not_archived",
                    ),
                ],
            },
        ),
    ]
