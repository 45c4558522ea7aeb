from django.db import migrations

# Two owners who end each other's ownership at the same moment do not see each other's change. At its commit each waits for
# the organization's row, and the second then sees the first's change and is refused.
REQUIRE_OWNER = """
CREATE FUNCTION accounts_organization_keeps_an_owner() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM accounts_organization WHERE id = OLD.organization_id FOR NO KEY UPDATE;
    IF NOT EXISTS (
        SELECT FROM accounts_membership
        WHERE organization_id = OLD.organization_id AND role = 'owner' AND left_at IS NULL
    ) THEN
        RAISE EXCEPTION 'organization % needs an owner', OLD.organization_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'membership_last_owner';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER membership_last_owner AFTER UPDATE OR DELETE ON accounts_membership
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.role = 'owner' AND OLD.left_at IS NULL)
    EXECUTE FUNCTION accounts_organization_keeps_an_owner();
"""
ALLOW_NONE = """
DROP TRIGGER membership_last_owner ON accounts_membership;
DROP FUNCTION accounts_organization_keeps_an_owner();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0003_invitations"),
    ]

    operations = [
        migrations.RunSQL(REQUIRE_OWNER, ALLOW_NONE),
    ]
