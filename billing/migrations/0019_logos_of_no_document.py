from django.db import migrations

# The row that is to go is locked before this looks, so documents that are being written with it are seen (HOLD_LOGO_SQL).
ALLOW_UNUSED = """
CREATE OR REPLACE FUNCTION billing_document_logo_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND NOT EXISTS (SELECT FROM billing_invoice WHERE seller ->> 'logo' = OLD.digest) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'logo % is on documents and cannot be changed', OLD.digest;
END $$;
"""
REFUSE_ALL = """
CREATE OR REPLACE FUNCTION billing_document_logo_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'logo % is on documents and cannot be changed', OLD.digest;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0018_staff_webhooks"),
    ]

    operations = [
        migrations.RunSQL(ALLOW_UNUSED, REFUSE_ALL),
    ]
