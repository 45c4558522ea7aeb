"""A user as SCIM has them (RFC 7643, section 4.1), with the attributes that are kept here and no others.

The library's own model refuses mail addresses at names that are not on the Internet, which companies have.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from scim2_models import URN, CaseExact, ComplexAttribute, Mutability, Required, Resource, Returned, Uniqueness
from scim2_models.resources.user import GroupMembership, Name


class Email(ComplexAttribute):
    """One address of a user."""

    value: str | None = None
    display: str | None = None
    type: str | None = Field(None, examples=["work", "home", "other"])
    primary: bool | None = None


class User(Resource[Any]):
    """A person in an organization. `user_name` is their mail address."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    nick_name: str | None = None
    title: str | None = None
    preferred_language: str | None = None
    locale: str | None = None
    timezone: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    password: Annotated[str | None, Mutability.write_only, Returned.never, CaseExact.true] = None
    """Taken, because providers send one, and kept nowhere."""

    Name: ClassVar[type[ComplexAttribute]] = Name
    Emails: ClassVar[type[ComplexAttribute]] = Email
    Groups: ClassVar[type[ComplexAttribute]] = GroupMembership
