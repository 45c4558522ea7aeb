from django.db import migrations

MAKE = """
CREATE AGGREGATE metering_sum(bigint) (
    SFUNC = int8pl, STYPE = bigint, COMBINEFUNC = int8pl, PARALLEL = SAFE
)
"""
DROP = "DROP AGGREGATE metering_sum(bigint)"


class Migration(migrations.Migration):
    """What adds up 64-bit numbers in 64 bits, and raises where they do not hold the sum (`metering.rollups.sums`)."""

    dependencies = [
        ("metering", "0012_output_is_split"),
    ]

    operations = [migrations.RunSQL(MAKE, DROP)]
