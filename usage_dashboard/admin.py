"""Staff's list of mail domains: whose people an identity provider may add."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest

from accounts.audit import audit
from accounts.audit.audit import actor_of
from accounts.emails import normalized
from usage_dashboard.models import MailDomain


class MailDomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """A domain as people write it becomes the one that addresses have."""

    def clean_name(self) -> str:
        """Raises ValidationError for what no address can be at."""
        name = self.cleaned_data["name"].strip().removeprefix("@").removesuffix(".")
        try:
            email = normalized(f"x@{name}")
            validate_email(email)
        except ValidationError as error:
            raise ValidationError("This is not a domain of mail addresses, as in example.com.") from error
        return email.removeprefix("x@")


@admin.register(MailDomain)
class MailDomainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Add a domain when you have made sure that it is the organization's: its owners then make accounts at it."""

    form = MailDomainForm
    list_display = ("name", "organization")
    search_fields = ("name", "organization__name")
    raw_id_fields = ("organization",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - the framework's signature
        """A domain is added and deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: MailDomain, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        self._record("mail_domain.created", request, obj)

    def delete_model(self, request: HttpRequest, obj: MailDomain) -> None:
        self._record("mail_domain.deleted", request, obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for one in queryset:
            self.delete_model(request, one)

    def _record(self, event: str, request: HttpRequest, domain: MailDomain) -> None:
        audit.record(
            event,
            actor=actor_of(request),
            organization=domain.organization,
            target_id=domain.organization.public_id,
            target_name=domain.name,
        )
