from django.db import migrations

# Zeros of the default price list that stand for “charged in another unit” say so, so that they can be told from what is free:
# images, seconds and characters of a model whose tokens have a price, and tokens of one that is priced by those.
SQL = """
UPDATE billing_price AS zero SET source = source || ', in another unit'
WHERE source LIKE 'genai-prices%' AND unit_price = 0 AND effective_date = DATE '2000-01-01' AND organization_id IS NULL
  AND usage_type IS NULL AND service_tier IS NULL AND batch IS NULL AND context_band = 0
  AND line_item IN (1, 2, 3, 4, 5, 6, 8, 9, 10)
  AND EXISTS (
    SELECT FROM billing_price AS charged
    WHERE charged.model_id = zero.model_id AND charged.source LIKE 'genai-prices%' AND charged.unit_price > 0
      AND (charged.line_item IN (8, 9, 10)) <> (zero.line_item IN (8, 9, 10)) AND charged.line_item IN (1, 2, 3, 4, 5, 6, 8, 9, 10)
  )
  AND NOT EXISTS (
    SELECT FROM billing_price AS charged
    WHERE charged.model_id = zero.model_id AND charged.source LIKE 'genai-prices%' AND charged.unit_price > 0
      AND (charged.line_item IN (8, 9, 10)) = (zero.line_item IN (8, 9, 10)) AND charged.line_item IN (1, 2, 3, 4, 5, 6, 8, 9, 10)
  )
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_waiting_usage")]
    operations = [migrations.RunSQL(SQL, migrations.RunSQL.noop)]
