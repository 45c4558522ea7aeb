"""The addresses of OpenAI's admin API that tell who and what there is: projects, users and keys."""

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import find_seen
from accounts.installation.described import ADMIN_KEY, DIRECTORY, KEY, PERSON, PROJECT, Errors, in_path
from apikeys.adminkeys.api import AdminView
from apikeys.models import AdminKey
from exports.admin_api.query_strings import gathered, truth_of, values_of
from exports.openai_api import directory, shapes
from exports.openai_api.described import LIST_ERRORS, NOT_FOUND, ORDER, list_parameters
from exports.openai_api.lists import list_of, window_of


class Listing(AdminView):
    """Some rows, `limit` at a time."""

    scope: ClassVar[str] = AdminKey.Scope.MEMBERS
    audience = DIRECTORY

    def parameters(self) -> list[OpenApiParameter]:
        return list_parameters()

    def errors(self) -> Errors:
        return super().errors() | LIST_ERRORS


class One(AdminView):
    """One row, by the id in the address."""

    scope: ClassVar[str] = AdminKey.Scope.MEMBERS
    audience = DIRECTORY
    what: ClassVar[str]
    example_id: ClassVar[str]

    def parameters(self) -> list[OpenApiParameter]:
        return [in_path("public_id", f"The id of {self.what}.", self.example_id)]

    def errors(self) -> Errors:
        return super().errors() | NOT_FOUND


class Projects(Listing):
    """`GET /v1/organization/projects`: those that are not archived, or with `include_archived=true` all."""

    title = "List projects"
    answer = shapes.List[shapes.Project]

    def parameters(self) -> list[OpenApiParameter]:
        text = "Also those that are archived."
        return list_parameters(OpenApiParameter("include_archived", bool, default=False, description=text))

    def get(self, request: Request) -> Response:
        given = gathered(request.query_params)
        window, archived = window_of(given, known=("include_archived",)), bool(truth_of(given, "include_archived"))
        rows, first = directory.projects_of(self.caller, archived=archived), directory.unmade_default(self.caller)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_project, found)), first=first))


class OneProject(One):
    """`GET /v1/organization/projects/{id}`."""

    title = "Show a project"
    answer = shapes.Project
    what = "the project, `proj_…`, or `default` where there is none with an id"
    example_id = PROJECT

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        unmade = directory.unmade_default(self.caller) if public_id == directory.DEFAULT_ID else None
        return Response(unmade or directory.show_project(directory.find_project(self.caller, public_id)))


class KeysOfProject(Listing):
    """`GET /v1/organization/projects/{id}/api_keys`: active keys whose usage is for it."""

    title = "List API keys of a project"
    answer = shapes.List[shapes.ProjectKey]

    def parameters(self) -> list[OpenApiParameter]:
        access = OpenApiParameter("owner_project_access", str, description="Read, and of no effect: all are active.")
        text = "The id of the project, `proj_…`, or `default` where there is none with an id."
        return [in_path("public_id", text, PROJECT), *list_parameters(access)]

    def errors(self) -> Errors:
        return super().errors() | NOT_FOUND

    def get(self, request: Request, public_id: str) -> Response:
        window = window_of(gathered(request.query_params), known=("owner_project_access",))
        rows = directory.keys_of_project(self.caller, public_id)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_api_key, found))))


class OneKeyOfProject(One):
    """`GET /v1/organization/projects/{id}/api_keys/{key id}`."""

    title = "Show an API key of a project"
    answer = shapes.ProjectKey
    example_id = PROJECT
    what = "the project, `proj_…`, or `default` where there is none with an id"

    def parameters(self) -> list[OpenApiParameter]:
        return [*super().parameters(), in_path("key_id", "The id of the key, `key_…`.", KEY)]

    def get(self, request: Request, public_id: str, key_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        rows = directory.keys_of_project(self.caller, public_id)
        return Response(directory.show_api_key(find_seen(rows, public_id=key_id)))


class Users(Listing):
    """`GET /v1/organization/users`, with `emails` those of them that have one of these addresses."""

    title = "List people"
    answer = shapes.List[shapes.User]

    def parameters(self) -> list[OpenApiParameter]:
        emails = {"type": "array", "items": {"type": "string"}}
        return list_parameters(
            OpenApiParameter("emails", emails, description="Those with one of these addresses alone.")
        )

    def get(self, request: Request) -> Response:
        given = gathered(request.query_params)
        window, emails = window_of(given, known=("emails",)), values_of(given, "emails")
        rows = directory.users_of(self.caller)
        if emails:
            rows = rows.filter(email__in=[one.lower() for one in emails])
        return Response(list_of(rows, window, lambda found: directory.show_users(self.caller, found)))


class OneUser(One):
    """`GET /v1/organization/users/{id}`."""

    title = "Show a person"
    answer = shapes.User
    what = "the person, `user_…`"
    example_id = PERSON

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        user = find_seen(directory.users_of(self.caller), public_id=public_id)
        return Response(directory.show_users(self.caller, [user])[0])


class AdminKeys(Listing):
    """`GET /v1/organization/admin_api_keys`."""

    title = "List admin keys"
    answer = shapes.List[shapes.AdminKey]

    def parameters(self) -> list[OpenApiParameter]:
        return list_parameters(ORDER)

    def get(self, request: Request) -> Response:
        window = window_of(gathered(request.query_params), known=("order",))
        rows = directory.admin_keys_of(self.caller)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_admin_key, found))))


class OneAdminKey(One):
    """`GET /v1/organization/admin_api_keys/{id}`."""

    title = "Show an admin key"
    answer = shapes.AdminKey
    what = "the key, `adminkey_…`"
    example_id = ADMIN_KEY

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        found = find_seen(directory.admin_keys_of(self.caller), public_id=public_id)
        return Response(directory.show_admin_key(found))
