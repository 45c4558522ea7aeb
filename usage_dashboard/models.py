"""What the product measures of itself for Prometheus (`usage_dashboard.monitoring`), which backups were made of it, which
steps of the set-up staff wants to see no more, and what identity providers say of people (`usage_dashboard.scim`).
"""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from accounts import public_ids
from accounts.models import Membership, Organization, User
from billing.money import EXACT_DIGITS


class Timing(models.Model):
    """How many requests or runs of a task took at most so many seconds, and more than the bound below; ever, never less.

    `kind` and `outcome` are those of `monitoring.timings`, `name` an address's pattern or a task. `at_most` may be infinite.
    """

    pk = models.CompositePrimaryKey("kind", "name", "outcome", "at_most")
    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=300)
    outcome = models.CharField(max_length=8)
    at_most = models.FloatField()
    number = models.BigIntegerField()
    seconds = models.FloatField()

    def __str__(self) -> str:
        return f"{self.name} {self.outcome}: {self.number} in {self.at_most} s"


class LeadingOrganization(models.Model):
    """What one of the organizations that cost most cost and used in a UTC month, or all others together."""

    name = models.CharField(max_length=60, primary_key=True)
    month = models.DateField()
    cost = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=12)
    tokens = models.DecimalField(max_digits=EXACT_DIGITS, decimal_places=0)
    measured_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}, {self.month:%Y-%m}: {self.cost}"


class Backup(models.Model):
    """A file that `manage.py backup` made, with everything that was acknowledged before `as_of`."""

    as_of = models.DateTimeField()
    name = models.CharField(max_length=255)
    num_bytes = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.name}, {self.as_of:%Y-%m-%d %H:%M}"


class DismissedStep(models.Model):
    """A step of the set-up (`overview.checklist`) that this installation does without."""

    step = models.CharField(max_length=40, primary_key=True)
    dismissed_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    dismissed_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.step


class MailDomain(models.Model):
    """Addresses at this domain are an organization's to give out: staff has made sure of that. It is one organization's alone."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="mail_domains")
    name = models.CharField(max_length=253, unique=True)

    class Meta:
        verbose_name = "mail domain"
        constraints = [models.CheckConstraint(condition=Q(name=Lower("name")), name="mail_domain_lower_case")]

    def __str__(self) -> str:
        return self.name


class ScimPerson(models.Model):
    """What an organization's identity provider says of a person. Who is in the organization is said by memberships alone.

    `is_made_here`: their account was made for this organization by its provider. `closed_at`: when that provider closed the
    account, while it has not opened it again. `more` are attributes that are kept for the provider and used nowhere. A deleted
    one stays, so that the person who comes back is the same.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="scim_people")
    user_name = models.CharField(max_length=254)
    external_id = models.CharField(max_length=255, blank=True)
    is_made_here = models.BooleanField(default=False)
    more = models.JSONField(default=dict)
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="scim_person_unique")]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization}"


class ScimGroup(models.Model):
    """A group of an identity provider, and the role that its people have in the organization; without one, it gives none."""

    public_id = models.CharField(max_length=32, default=public_ids.scim_group_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    external_id = models.CharField(max_length=255, blank=True)
    name = models.CharField(max_length=255)
    role = models.CharField(max_length=6, choices=Membership.Role.choices, blank=True)
    people = models.ManyToManyField(User, related_name="+")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="scim_group_public_id_unique"),
            models.UniqueConstraint("organization", Lower("name"), name="scim_group_name_unique"),
            models.CheckConstraint(
                condition=Q(role__in=["", "owner", "admin", "reader"]), name="scim_group_role_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name
