from django.db import migrations

# Whom others than the provider have put out of the organization. It has a person out itself in the moment in which it says
# so, and keeps them in its groups.
LEAVE_GROUPS = """
WITH gone AS (
    DELETE FROM usage_dashboard_scimgroup_people AS link
    USING usage_dashboard_scimgroup AS scimgroup
    WHERE scimgroup.id = link.scimgroup_id
        AND NOT EXISTS (
            SELECT FROM accounts_membership AS membership
            WHERE membership.organization_id = scimgroup.organization_id
                AND membership.user_id = link.user_id AND membership.left_at IS NULL
        )
        AND NOT EXISTS (
            SELECT FROM usage_dashboard_scimperson AS person
            WHERE person.organization_id = scimgroup.organization_id AND person.user_id = link.user_id
                AND person.deleted_at IS NULL
                AND NOT EXISTS (
                    SELECT FROM accounts_membership AS membership
                    WHERE membership.organization_id = person.organization_id
                        AND membership.user_id = person.user_id AND membership.left_at > person.updated_at
                )
        )
    RETURNING link.scimgroup_id
)
UPDATE usage_dashboard_scimgroup SET updated_at = clock_timestamp() WHERE id IN (SELECT scimgroup_id FROM gone)
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_last_superuser"),
        ("usage_dashboard", "0005_scim_closed_at"),
    ]

    operations = [
        migrations.RunSQL(LEAVE_GROUPS, migrations.RunSQL.noop),
    ]
