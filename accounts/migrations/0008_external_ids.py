from django.db import migrations, models

# Whoever ends an organization ends the ownership of its owners with it.
OWNER_SQL = """
CREATE OR REPLACE FUNCTION accounts_organization_keeps_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts_organization WHERE id = OLD.organization_id FOR NO KEY UPDATE;
    IF NOT EXISTS (
        SELECT FROM accounts_membership
        WHERE organization_id = OLD.organization_id AND role = 'owner' AND left_at IS NULL
    ) {unless} THEN
        RAISE EXCEPTION 'organization % needs an owner', OLD.organization_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_last_owner';
    END IF;
    RETURN NULL;
END $$
"""
UNLESS_ENDED = """AND NOT EXISTS (
        SELECT FROM accounts_organization WHERE id = OLD.organization_id AND ended_at IS NOT NULL
    )"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_projects_and_attributes"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.AddField(
            model_name="membership",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="organization",
            name="ended_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="organization",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="project",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddField(
            model_name="user",
            name="external_id",
            field=models.CharField(blank=True, max_length=100, null=True),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                condition=models.Q(("left_at__isnull", True)),
                fields=("external_id",),
                name="membership_external_id_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="organization",
            constraint=models.UniqueConstraint(fields=("external_id",), name="organization_external_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.UniqueConstraint(fields=("external_id",), name="project_external_id_unique"),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.UniqueConstraint(fields=("external_id",), name="user_external_id_unique"),
        ),
        migrations.RunSQL(OWNER_SQL.replace("{unless}", UNLESS_ENDED), OWNER_SQL.replace("{unless}", "")),
    ]
