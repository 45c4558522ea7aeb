"""People and organizations, and the dated history that routing reads."""

from typing import ClassVar

from django.apps import apps
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from accounts import public_ids
from accounts.emails import normalized


class UserManager(BaseUserManager["User"]):
    """Makes people who do not sign up by themselves: whoever adds them vouches for their email address."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(email=normalized(email), **fields)
        user.set_password(password)
        with transaction.atomic():
            user.save(using=self._db)
            verified = apps.get_model("account", "EmailAddress")
            verified.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=normalized(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in by email. API keys belong to a user, never to an organization.

    `external_id`, here and elsewhere, is the operator's own id of what the provisioning API keeps; null for all else.
    """

    public_id = models.CharField(max_length=32, default=public_ids.user_id, editable=False)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120, blank=True)
    default_organization = models.ForeignKey(
        "Organization",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
    )
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_lower_case"),
            models.UniqueConstraint(fields=["public_id"], name="user_public_id_unique"),
            models.UniqueConstraint(fields=["external_id"], name="user_external_id_unique"),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def display_name(self) -> str:
        return self.name or self.email

    @property
    def initials(self) -> str:
        """One or two letters for the round badge in the top bar."""
        words = self.name.split() or [self.email]
        return "".join(word[0] for word in [words[0], *words[1:][-1:]]).upper()


class Organization(models.Model):
    """A customer of the API. With a `parent` it is billed to that parent (one level: consolidated billing).

    Nobody is in an ended one (`ended_at`); it stays, with its usage and invoices.
    """

    class UsageVisibility(models.TextChoices):
        ANY_ROLE = "any_role", "Everyone in the organization"
        OWNERS_AND_ADMINS = (
            "owners_and_admins",
            "Owners and admins; others see their own usage",
        )

    public_id = models.CharField(max_length=32, default=public_ids.organization_id, editable=False)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, db_index=False)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    is_personal = models.BooleanField(default=False)
    usage_visibility = models.CharField(
        max_length=20, choices=UsageVisibility.choices, default=UsageVisibility.ANY_ROLE
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        permissions = [
            ("open_organization", "Can open the pages of any organization as staff, and read them"),
            ("change_opened_organization", "Can change what is on the pages of an organization opened as staff"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["slug"], name="organization_slug_unique"),
            models.UniqueConstraint(fields=["public_id"], name="organization_public_id_unique"),
            models.UniqueConstraint(fields=["external_id"], name="organization_external_id_unique"),
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")),
                name="organization_not_its_own_parent",
            ),
            models.CheckConstraint(
                condition=Q(usage_visibility__in=["any_role", "owners_and_admins"]),
                name="organization_usage_visibility_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user's time in an organization. A row whose `left_at` is null is current; ended rows are the history for routing.

    Who comes back under the same `external_id` has another row with it.
    """

    class Role(models.TextChoices):
        OWNER = "owner", "Owner"
        ADMIN = "admin", "Admin"
        READER = "reader", "Reader"

    external_id = models.CharField(max_length=100, null=True, blank=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="memberships")
    role = models.CharField(max_length=6, choices=Role.choices)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organization"],
                condition=Q(left_at__isnull=True),
                name="membership_current_unique",
            ),
            models.UniqueConstraint(
                fields=["external_id"], condition=Q(left_at__isnull=True), name="membership_external_id_unique"
            ),
            models.CheckConstraint(
                condition=Q(left_at__isnull=True) | Q(left_at__gt=F("joined_at")),
                name="membership_left_after_joined",
            ),
            models.CheckConstraint(
                condition=Q(role__in=["owner", "admin", "reader"]),
                name="membership_role_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.organization} ({self.role})"


class DefaultOrganizationChange(models.Model):
    """From `effective_at` on, `organization` is the user's default. The first row also holds for all times before it."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="default_organization_changes")
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="+")
    effective_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "effective_at"],
                name="default_organization_change_unique",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} → {self.organization} from {self.effective_at:%Y-%m-%d %H:%M:%S}"


class Invitation(models.Model):
    """Asks an email address to join: accepted once, within seven days, unless revoked. Its secret is kept as a digest."""

    public_id = models.CharField(max_length=32, default=public_ids.invitation_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=6, choices=Membership.Role.choices)
    digest = models.BinaryField(max_length=32, editable=False)
    invited_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="invitation_public_id_unique"),
            models.UniqueConstraint(fields=["digest"], name="invitation_digest_unique"),
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at__isnull=True, revoked_at__isnull=True),
                name="invitation_open_unique",
            ),
            models.CheckConstraint(condition=Q(email=Lower("email")), name="invitation_email_lower_case"),
            models.CheckConstraint(condition=Q(role__in=["owner", "admin", "reader"]), name="invitation_role_known"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, accepted_by__isnull=True)
                | Q(accepted_at__isnull=False, accepted_by__isnull=False, revoked_at__isnull=True),
                name="invitation_ended_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} to {self.organization} ({self.role})"


class Project(models.Model):
    """What usage of an organization is for. An archived one is offered no more; it stays, so that past usage keeps its name.

    Usage without a project counts in the default one: its row is made when somebody first needs it (`projects.default_of`),
    and events are never stored under its id.
    """

    public_id = models.CharField(max_length=32, default=public_ids.project_id, editable=False)
    external_id = models.CharField(max_length=100, null=True, blank=True)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=120)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["public_id"], name="project_public_id_unique"),
            models.UniqueConstraint(fields=["external_id"], name="project_external_id_unique"),
            models.UniqueConstraint(fields=["id", "organization"], name="project_of_organization"),
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_default=True), name="project_default_unique"
            ),
            models.UniqueConstraint(
                "organization", Lower("name"), condition=Q(archived_at__isnull=True), name="project_active_name_unique"
            ),
            models.CheckConstraint(condition=~Q(name=""), name="project_named"),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(archived_at__isnull=True), name="project_default_not_archived"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Attribute(models.Model):
    """A name under which events of an organization may say more about what they are for, such as `team`.

    Of a withdrawn one nothing more is stored; it stays, so that past usage keeps its title, and may be declared again.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="attributes")
    name = models.CharField(max_length=32)
    title = models.CharField(max_length=60)
    declared_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="attribute_name_unique"),
            models.CheckConstraint(condition=Q(name__regex=r"^[a-z][a-z0-9_]{0,31}$"), name="attribute_name_form"),
            models.CheckConstraint(condition=~Q(title=""), name="attribute_titled"),
        ]

    def __str__(self) -> str:
        return self.title


class RoutingVersion(models.Model):
    """One row, one number: raised by every change that routing or authentication depends on, before it is made.

    Processes keep keys, tokens and histories in memory under this number; see `accounts.changes` and `apikeys.directory`.
    """

    version = models.BigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="routing_version_single_row")]

    def __str__(self) -> str:
        return str(self.version)


class RoutingChange(models.Model):
    """Whom the change was about that raised the routing version to `version`. The latest only.

    A user's id, 0 for everybody, or an organization's id with a minus for a change of its projects or attributes.
    """

    version = models.BigIntegerField()
    person = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["version"], name="routing_change_by_version")]

    def __str__(self) -> str:
        return f"{self.version}: {self.person}"


class Spending(models.Model):
    """How often a person did what is limited, in the latest minute or day (UTC) in which they did; see `accounts.limits`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    began_at = models.DateTimeField()
    number = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "kind"], name="spending_unique")]

    def __str__(self) -> str:
        return f"{self.user}: {self.number} × {self.kind}"


class AuditEvent(models.Model):
    """Who did what, when and from where. Append-only: the database refuses to change or delete a row (see the migration).

    `event` is a dotted name of the field's vocabulary (`api_key.created`); `organization` is the one whose owners may read
    it, null for what concerns a person alone. Names are kept as they were.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, related_name="+")
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    actor_name = models.CharField(max_length=254)
    event = models.CharField(max_length=60)
    target_id = models.CharField(max_length=64, blank=True)
    target_name = models.CharField(max_length=255, blank=True)
    details = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    occurred_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-occurred_at"], name="audit_event_by_organization"),
            models.Index(
                fields=["target_name", "-occurred_at"], condition=Q(event="invite.sent"), name="audit_event_invitations"
            ),
        ]
        constraints = [models.CheckConstraint(condition=~Q(event=""), name="audit_event_named")]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.event} {self.target_name}"


class SharedValue(models.Model):
    """What web's processes share while Redis is away, and what must be true once whatever happens to it: `shared_cache`."""

    key = models.CharField(primary_key=True, max_length=64)
    value = models.TextField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="shared_value_by_expiry")]

    def __str__(self) -> str:
        return self.key


class SecurityEvent(models.Model):
    """A sign-in, a refusal, or a change of what lets a person in. Kept for SECURITY_LOG_RETENTION_DAYS.

    `user` is null where nobody has the email address that was tried; what was typed is never kept.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    event = models.CharField(max_length=40)
    method = models.CharField(max_length=100, blank=True)
    address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    occurred_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["user", "-occurred_at"], name="security_event_by_user"),
            models.Index(fields=["occurred_at"], name="security_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.occurred_at:%Y-%m-%d %H:%M:%S}"
