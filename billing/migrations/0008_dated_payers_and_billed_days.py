import django.db.models.deletion
from django.db import migrations, models

# Constraints are checked at once, so that the tables may be changed afterwards.
CHECK_NOW = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"
# Who pays, from what was written down month by month, and from what the audit log has of changes of the payer. Documents
# were made by the first, so it wins. Before what is known, an organization paid itself; after it, it is as things are now.
DATE_PAYERS = """
INSERT INTO billing_payersince (organization_id, first_month, payer_id)
WITH known AS (
    SELECT DISTINCT ON (organization_id, month) organization_id, month, payer_id
    FROM (
        SELECT organization_id, month, payer_id, 0 AS source, 0 AS place FROM billing_payermonth
        UNION ALL
        SELECT event.organization_id, (event.details ->> 'from')::date, payer.id, 1, event.id
        FROM accounts_auditevent AS event
        JOIN accounts_organization AS payer ON payer.public_id = event.details ->> 'payer'
        WHERE event.event = 'organization.payer_changed' AND event.details ? 'from'
    ) AS said
    ORDER BY organization_id, month, source, place DESC
),
dated AS (
    SELECT organization_id, month, payer_id FROM known
    UNION ALL
    SELECT organization_id, date '0001-01-01', organization_id FROM known
    GROUP BY organization_id
    HAVING min(month) < coalesce((
        SELECT min(written.month) FROM billing_payermonth AS written
        WHERE written.organization_id = known.organization_id
    ), 'infinity')
    UNION ALL
    SELECT organization.id, (max(known.month) + interval '1 month')::date, coalesce(organization.parent_id, organization.id)
    FROM known JOIN accounts_organization AS organization ON organization.id = known.organization_id
    GROUP BY organization.id
),
step AS (SELECT *, lag(payer_id) OVER (PARTITION BY organization_id ORDER BY month) AS payer_before FROM dated),
change AS (
    SELECT *, count(*) OVER (PARTITION BY organization_id) AS num_payers
    FROM step WHERE payer_before IS DISTINCT FROM payer_id
)
SELECT organization_id, CASE WHEN payer_before IS NULL THEN date '0001-01-01' ELSE month END, payer_id
FROM change WHERE num_payers > 1
ORDER BY 1, 2;
"""
# The order in which a payer's documents were issued.
PLACE_DOCUMENTS = f"""
ALTER TABLE billing_invoice DISABLE TRIGGER final_invoice_immutable;
UPDATE billing_invoice AS invoice SET place = issued.place
FROM (
    SELECT id, row_number() OVER (PARTITION BY payer_id ORDER BY issue_date, id) AS place
    FROM billing_invoice WHERE state <> 'draft'
) AS issued
WHERE issued.id = invoice.id;
{CHECK_NOW}
ALTER TABLE billing_invoice ENABLE TRIGGER final_invoice_immutable;
"""


def _cents(amount: str) -> str:
    return f"(round({amount}, 2) - CASE WHEN abs({amount}) * 100 % 2 = 0.5 THEN sign({amount}) * 0.01 ELSE 0 END)"


# What documents charge by day was not kept. The first document of a key charges its days as they are now; what came or
# went since, and what later ones charge, is on the key's last day. A void invoice and its credit note are nothing together.
FILL_DAYS = f"""
INSERT INTO billing_billedday (invoice_id, organization_id, day, amount)
WITH daily AS (
    SELECT cost.organization_id, sku.model_id, cost.line_item, date_trunc('month', cost.day::timestamp)::date AS usage_month,
        cost.day, sum(cost.amount) AS amount
    FROM billing_dailycost AS cost JOIN metering_sku AS sku ON sku.id = cost.sku_id
    WHERE cost.amount IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5
),
to_date AS (
    SELECT *, sum(amount) OVER (PARTITION BY organization_id, model_id, line_item, usage_month ORDER BY day) AS so_far
    FROM daily
),
running AS (SELECT *, {_cents("so_far")} - {_cents("(so_far - amount)")} AS cents FROM to_date),
key AS (
    SELECT organization_id, model_id, line_item, usage_month, max(day) AS last_day, sum(cents) AS cents
    FROM running GROUP BY 1, 2, 3, 4
),
document AS (
    SELECT *, kind = 'invoice' AND state IN ('open', 'paid') AS is_kept FROM billing_invoice WHERE state <> 'draft'
),
line AS (
    SELECT line.*, document.is_kept, document.is_kept AND row_number() OVER (
        PARTITION BY line.organization_id, line.model_id, line.line_item, line.usage_month, document.is_kept
        ORDER BY document.issue_date, document.id
    ) = 1 AS is_first
    FROM billing_invoiceline AS line JOIN document ON document.id = line.invoice_id
),
part AS (
    SELECT line.invoice_id, line.organization_id, running.day, running.cents AS amount
    FROM line JOIN running USING (organization_id, model_id, line_item, usage_month)
    WHERE line.is_first
    UNION ALL
    SELECT line.invoice_id, line.organization_id, CASE WHEN line.is_kept THEN key.last_day END,
        line.amount - CASE WHEN line.is_first THEN coalesce(key.cents, 0) ELSE 0 END
    FROM line JOIN key USING (organization_id, model_id, line_item, usage_month)
    WHERE line.is_kept
    UNION ALL
    SELECT line.invoice_id, line.organization_id, line.usage_month, line.amount
    FROM line LEFT JOIN key USING (organization_id, model_id, line_item, usage_month)
    WHERE NOT line.is_kept OR key.last_day IS NULL
)
SELECT invoice_id, organization_id, day, sum(amount) FROM part GROUP BY 1, 2, 3 HAVING sum(amount) <> 0
ORDER BY 1, 2, 3;
"""
KEEP_DAYS = """
CREATE TRIGGER final_invoice_days BEFORE INSERT OR UPDATE OR DELETE ON billing_billedday
    FOR EACH ROW EXECUTE FUNCTION billing_final_invoice_keeps_its_parts();
"""
LET_DAYS_GO = "DROP TRIGGER final_invoice_days ON billing_billedday"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_last_owner"),
        ("billing", "0007_webhook_states"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayerSince",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("first_month", models.DateField()),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "payer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "first_month"), name="payer_since_unique"),
                    models.CheckConstraint(condition=models.Q(("first_month__day", 1)), name="payer_since_first_day"),
                ],
            },
        ),
        migrations.RunSQL(DATE_PAYERS + CHECK_NOW, migrations.RunSQL.noop),
        migrations.DeleteModel(name="PayerMonth"),
        migrations.AddField(model_name="invoice", name="place", field=models.IntegerField(null=True)),
        migrations.RunSQL(PLACE_DOCUMENTS, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(fields=("payer", "place"), name="invoice_place_unique"),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("place__isnull", True), ("state", "draft")),
                    models.Q(models.Q(("state", "draft"), _negated=True), ("place__isnull", False)),
                    _connector="OR",
                ),
                name="invoice_placed_when_final",
            ),
        ),
        migrations.CreateModel(
            name="BilledDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField()),
                ("amount", models.DecimalField(decimal_places=2, max_digits=60)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="billed_days", to="billing.invoice"
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.organization",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["organization", "day"], name="billed_day_by_organization")],
                "constraints": [
                    models.UniqueConstraint(fields=("invoice", "organization", "day"), name="billed_day_unique")
                ],
            },
        ),
        migrations.RunSQL(FILL_DAYS + CHECK_NOW, migrations.RunSQL.noop),
        migrations.RunSQL(KEEP_DAYS, LET_DAYS_GO),
    ]
