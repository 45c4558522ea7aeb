import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Nobody is asked twice within seven days. Each request takes a range of seconds that belongs to its user alone, and ranges
# may not touch: (user, time) as one number, because an index over two columns would need an extension of PostgreSQL.
ONCE_A_WEEK = """
ALTER TABLE apikeys_visibilityrequest ADD CONSTRAINT visibility_request_once_a_week EXCLUDE USING gist (
    int8range(
        user_id * 10000000000 + floor(extract(epoch FROM asked_at AT TIME ZONE 'UTC'))::bigint,
        user_id * 10000000000 + floor(extract(epoch FROM asked_at AT TIME ZONE 'UTC'))::bigint + 7 * 86400
    ) WITH &&
)
"""
AS_OFTEN_AS_YOU_LIKE = "ALTER TABLE apikeys_visibilityrequest DROP CONSTRAINT visibility_request_once_a_week"


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_last_owner"),
        ("apikeys", "0002_rotation"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="VisibilityRequest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asked_at", models.DateTimeField()),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "organization",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.organization"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "-asked_at"], name="visibility_request_by_user")],
            },
        ),
        migrations.RunSQL(ONCE_A_WEEK, AS_OFTEN_AS_YOU_LIKE),
    ]
