import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Whose default organization is one that they have left gets the one that removing them would have given them: the personal
# one, else the one that they joined first, else none. It holds from now on: what is stored stays where it is. The audit
# logs of both organizations say so.
MOVE_HOME = """
WITH astray AS (
    SELECT person.id, person.public_id, person.email, person.default_organization_id AS left_id, (
        SELECT membership.organization_id
        FROM accounts_membership AS membership
        JOIN accounts_organization AS organization ON organization.id = membership.organization_id
        WHERE membership.user_id = person.id AND membership.left_at IS NULL
        ORDER BY organization.is_personal DESC, membership.joined_at, membership.id
        LIMIT 1
    ) AS home_id
    FROM accounts_user AS person
    WHERE person.default_organization_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM accounts_membership AS membership
        WHERE membership.user_id = person.id
            AND membership.organization_id = person.default_organization_id
            AND membership.left_at IS NULL
    )
), moved AS (
    UPDATE accounts_user AS person SET default_organization_id = astray.home_id FROM astray WHERE person.id = astray.id
), dated AS (
    INSERT INTO accounts_defaultorganizationchange (user_id, organization_id, effective_at)
    SELECT id, home_id, clock_timestamp() FROM astray WHERE home_id IS NOT NULL
)
INSERT INTO accounts_auditevent (organization_id, actor_name, event, target_id, target_name, details)
SELECT left_id, 'system', 'user.default_organization.removed', public_id, email, '{"reason": "not a member"}'::jsonb
FROM astray
UNION ALL
SELECT home_id, 'system', 'user.default_organization.added', public_id, email, '{"reason": "not a member"}'::jsonb
FROM astray WHERE home_id IS NOT NULL;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
# A removal and a switch at the same moment do not see each other. At its commit each waits for the user's row, and the
# second then sees the first's change and is refused.
REQUIRE_MEMBERSHIP = """
CREATE FUNCTION accounts_default_is_a_membership() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    person bigint;
    home bigint;
BEGIN
    IF TG_TABLE_NAME = 'accounts_user' THEN
        person := NEW.id;
    ELSE
        person := OLD.user_id;
    END IF;
    SELECT default_organization_id INTO home FROM accounts_user WHERE id = person FOR NO KEY UPDATE;
    IF home IS NOT NULL AND NOT EXISTS (
        SELECT FROM accounts_membership WHERE user_id = person AND organization_id = home AND left_at IS NULL
    ) THEN
        RAISE EXCEPTION 'the default organization of user % must be one that they are in', person
            USING ERRCODE = 'check_violation', CONSTRAINT = 'user_default_is_a_membership';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER user_default_is_a_membership
    AFTER INSERT OR UPDATE OF default_organization_id ON accounts_user
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.default_organization_id IS NOT NULL)
    EXECUTE FUNCTION accounts_default_is_a_membership();
CREATE CONSTRAINT TRIGGER membership_of_default_stays
    AFTER UPDATE OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.left_at IS NULL)
    EXECUTE FUNCTION accounts_default_is_a_membership();
"""
ALLOW_ALL = """
DROP TRIGGER membership_of_default_stays ON accounts_membership;
DROP TRIGGER user_default_is_a_membership ON accounts_user;
DROP FUNCTION accounts_default_is_a_membership();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0005_security_log_and_shared_values"),
    ]

    operations = [
        migrations.CreateModel(
            name="RoutingChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("version", models.BigIntegerField()),
                ("person", models.BigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["version"], name="routing_change_by_version")],
            },
        ),
        migrations.CreateModel(
            name="Spending",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("began_at", models.DateTimeField()),
                ("number", models.IntegerField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "kind"), name="spending_unique")],
            },
        ),
        migrations.RunSQL(MOVE_HOME, migrations.RunSQL.noop),
        migrations.RunSQL(REQUIRE_MEMBERSHIP, ALLOW_ALL),
    ]
