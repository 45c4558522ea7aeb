"""Keys of people, tokens of gateways, and the dated history of tracking."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts import public_ids
from accounts.models import AuditEvent, Organization, Project, User


class APIKey(models.Model):
    """A user's secret for the API. Only its SHA-256 digest is stored; a revoked key stays, so that past usage keeps its name.

    A rotated key is the same key with another secret; the one before it opens the API until `previous_expires_at`.
    """

    public_id = models.CharField(max_length=32, default=public_ids.api_key_id, editable=False)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_keys")
    name = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32, editable=False)
    previous_digest = models.BinaryField(max_length=32, null=True, editable=False)
    previous_expires_at = models.DateTimeField(null=True, blank=True)
    redacted = models.CharField(max_length=20, editable=False)
    tracked = models.BooleanField(
        help_text="Whether usage is attributed to this key now; the history decides for the past."
    )
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="api_key_public_id_unique"),
            models.UniqueConstraint(fields=["external_id"], name="api_key_external_id_unique"),
            models.UniqueConstraint(fields=["digest"], name="api_key_digest_unique"),
            models.UniqueConstraint(fields=["previous_digest"], name="api_key_previous_digest_unique"),
            models.CheckConstraint(
                condition=Q(previous_digest__isnull=True, previous_expires_at__isnull=True)
                | Q(previous_digest__isnull=False, previous_expires_at__isnull=False),
                name="api_key_previous_digest_expires",
            ),
            models.CheckConstraint(condition=~Q(name=""), name="api_key_named"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.redacted})"

    def old_secret_until(self, now: datetime) -> datetime | None:
        """Until when the secret before the last rotation is still valid, if it is."""
        until = self.previous_expires_at
        return until if until is not None and until > now else None

    def secret_expires_at(self, digest: bytes) -> datetime | None:
        """Until when the secret with this digest opens the API: the key's expiry, or the end of a rotation's overlap."""
        if digest == bytes(self.digest):
            return self.expires_at
        return min(moment for moment in (self.expires_at, self.previous_expires_at) if moment is not None)


class TrackingChange(models.Model):
    """From `effective_at` on, the key is tracked or not. The first row also holds for all times before it."""

    api_key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="tracking_changes")
    tracked = models.BooleanField()
    effective_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["api_key", "effective_at"], name="tracking_change_unique")]

    def __str__(self) -> str:
        return f"{self.api_key}: {'tracked' if self.tracked else 'untracked'} from {self.effective_at}"


class KeyAttribution(models.Model):
    """From `effective_at` on, usage of the key in the organization is for this project and has these values, unless an event
    says otherwise. Before the first row: the default project, without values.

    `project` null is the default project. `attributes` maps names of the organization's attributes to their values.
    """

    api_key = models.ForeignKey(APIKey, on_delete=models.PROTECT, related_name="attributions")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, null=True, related_name="key_attributions")
    attributes = models.JSONField(default=dict)
    effective_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "organization", "effective_at"], name="key_attribution_unique")
        ]

    def __str__(self) -> str:
        return f"{self.api_key}: {self.project or 'default project'} {self.attributes} from {self.effective_at}"


class VisibilityRequest(models.Model):
    """Someone was asked to make their keys visible in an organization; once in seven days at most (see the migration)."""

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    asked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    asked_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user", "-asked_at"], name="visibility_request_by_user")]

    def __str__(self) -> str:
        return f"{self.user} for {self.organization} at {self.asked_at}"


class AdminKey(models.Model):
    """An organization's secret for the admin APIs: it reads what its scopes name, of the organization and its children.

    Only its SHA-256 digest is stored; a revoked key stays. `minute_began_at` and `num_in_minute` count its requests in the
    latest minute in which it was used.
    """

    class Scope(models.TextChoices):
        USAGE = "usage", "Usage"
        COSTS = "costs", "Costs"
        INVOICES = "invoices", "Invoices"
        MEMBERS = "members", "Members, keys and projects"

    public_id = models.CharField(max_length=32, default=public_ids.admin_key_id, editable=False)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="admin_keys")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32, editable=False)
    redacted = models.CharField(max_length=20, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    minute_began_at = models.DateTimeField(null=True, editable=False)
    num_in_minute = models.IntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="admin_key_public_id_unique"),
            models.UniqueConstraint(fields=["external_id"], name="admin_key_external_id_unique"),
            models.UniqueConstraint(fields=["digest"], name="admin_key_digest_unique"),
            models.CheckConstraint(condition=~Q(name=""), name="admin_key_named"),
            models.CheckConstraint(
                condition=Q(scopes__len__gt=0, scopes__contained_by=["usage", "costs", "invoices", "members"]),
                name="admin_key_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.redacted})"


class KeyNews(models.Model):
    """An entry of the audit log about a key, as long as those whom it concerns have not been told of it (see `apikeys.news`).
    Without an organization it concerns the operator's staff."""

    entry = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="+")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+")
    event = models.CharField(max_length=60)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "key news"

    def __str__(self) -> str:
        return f"{self.event} in {self.organization or 'the installation'}"


class IngestToken(models.Model):
    """A gateway's secret: it may report usage of any key."""

    external_id = models.CharField(max_length=100, null=True, blank=True)
    name = models.CharField(max_length=120)
    digest = models.BinaryField(max_length=32, editable=False)
    redacted = models.CharField(max_length=20, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["digest"], name="ingest_token_digest_unique"),
            models.UniqueConstraint(fields=["name"], name="ingest_token_name_unique"),
            models.UniqueConstraint(fields=["external_id"], name="ingest_token_external_id_unique"),
        ]

    def __str__(self) -> str:
        return self.name


class OperatorToken(models.Model):
    """A secret of the operator's own programs: with it they keep customers, people and keys here as they have them.

    Only its SHA-256 digest is stored; a revoked token stays. `minute_began_at` and `num_in_minute` count its requests in the
    latest minute in which it was used.
    """

    class Scope(models.TextChoices):
        READ = "read", "Read everything below"
        ORGANIZATIONS = "organizations", "Organizations, their payers and billing details"
        PRICES = "prices", "Organizations' own prices"
        USERS = "users", "Users"
        MEMBERSHIPS = "memberships", "Memberships and default organizations"
        PROJECTS = "projects", "Projects"
        API_KEYS = "api_keys", "API keys"
        ADMIN_KEYS = "admin_keys", "Admin keys"
        INGEST_TOKENS = "ingest_tokens", "Ingest tokens"

    public_id = models.CharField(max_length=32, default=public_ids.operator_token_id, editable=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=120)
    digest = models.BinaryField(max_length=32, editable=False)
    redacted = models.CharField(max_length=20, editable=False)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope.choices))
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    minute_began_at = models.DateTimeField(null=True, editable=False)
    num_in_minute = models.IntegerField(default=0, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="operator_token_public_id_unique"),
            models.UniqueConstraint(fields=["digest"], name="operator_token_digest_unique"),
            models.CheckConstraint(condition=~Q(name=""), name="operator_token_named"),
            models.CheckConstraint(
                condition=Q(
                    scopes__len__gt=0,
                    scopes__contained_by=[
                        *("read", "organizations", "prices", "users", "memberships"),
                        *("projects", "api_keys", "admin_keys", "ingest_tokens"),
                    ],
                ),
                name="operator_token_scopes_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.redacted})"


class ScimToken(models.Model):
    """A secret of an organization's identity provider: with it the provider says who is in this organization, and in no other.

    Only its SHA-256 digest is stored; a revoked token stays. `minute_began_at` and `num_in_minute` count its requests in the
    latest minute in which it was used.
    """

    public_id = models.CharField(max_length=32, default=public_ids.scim_token_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="scim_tokens")
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    name = models.CharField(max_length=120)
    digest = models.BinaryField(max_length=32, editable=False)
    redacted = models.CharField(max_length=20, editable=False)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    minute_began_at = models.DateTimeField(null=True, editable=False)
    num_in_minute = models.IntegerField(default=0, editable=False)

    class Meta:
        verbose_name = "SCIM token"
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="scim_token_public_id_unique"),
            models.UniqueConstraint(fields=["digest"], name="scim_token_digest_unique"),
            models.CheckConstraint(condition=~Q(name=""), name="scim_token_named"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.redacted})"
