import django.db.models.deletion
from django.db import migrations, models

# A key's usage in an organization is never for another organization's project.
SAME_ORGANIZATION = """
ALTER TABLE apikeys_keyattribution ADD CONSTRAINT key_attribution_project_of_organization
    FOREIGN KEY (project_id, organization_id) REFERENCES accounts_project (id, organization_id)
    DEFERRABLE INITIALLY DEFERRED
"""
ANY_ORGANIZATION = "ALTER TABLE apikeys_keyattribution DROP CONSTRAINT key_attribution_project_of_organization"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_projects_and_attributes"),
        ("apikeys", "0003_visibility_requests"),
    ]

    operations = [
        migrations.CreateModel(
            name="KeyAttribution",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attributes", models.JSONField(default=dict)),
                ("effective_at", models.DateTimeField()),
                (
                    "api_key",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="attributions", to="apikeys.apikey"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="key_attributions",
                        to="accounts.project",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("api_key", "organization", "effective_at"), name="key_attribution_unique"
                    )
                ],
            },
        ),
        migrations.RunSQL(SAME_ORGANIZATION, ANY_ORGANIZATION),
    ]
