from django.db import migrations

# Two superusers who close each other's account at the same moment do not see each other's change. At its commit each waits
# for the lock, and the second then sees the first's change and is refused.
REQUIRE_SUPERUSER = """
CREATE FUNCTION accounts_installation_keeps_a_superuser() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.is_active AND NEW.is_staff AND NEW.is_superuser THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(93816065836295);
    IF NOT EXISTS (SELECT FROM accounts_user WHERE is_active AND is_staff AND is_superuser) THEN
        RAISE EXCEPTION 'the installation needs a superuser'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'user_last_superuser';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER user_last_superuser
    AFTER UPDATE OF is_active, is_staff, is_superuser OR DELETE ON accounts_user
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (OLD.is_active AND OLD.is_staff AND OLD.is_superuser)
    EXECUTE FUNCTION accounts_installation_keeps_a_superuser();
"""
ALLOW_NONE = """
DROP TRIGGER user_last_superuser ON accounts_user;
DROP FUNCTION accounts_installation_keeps_a_superuser();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0009_opened_by_staff"),
    ]

    operations = [
        migrations.RunSQL(REQUIRE_SUPERUSER, ALLOW_NONE),
    ]
