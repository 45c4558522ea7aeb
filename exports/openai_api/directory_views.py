"""The addresses of OpenAI's admin API that tell who and what there is: projects, users and keys."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import find_seen
from apikeys.adminkeys.api import AdminView
from apikeys.models import AdminKey
from exports.openai_api import directory
from exports.openai_api.lists import list_of, window_of


class Listing(AdminView):
    scope: ClassVar[str] = AdminKey.Scope.MEMBERS


class Projects(Listing):
    """`GET /v1/organization/projects`: those that are not archived, or with `include_archived=true` all."""

    def get(self, request: Request) -> Response:
        window = window_of(request.query_params, known=("include_archived",))
        archived = request.query_params.get("include_archived", "").lower() == "true"
        rows, first = directory.projects_of(self.caller, archived=archived), directory.unmade_default(self.caller)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_project, found)), first=first))


class OneProject(Listing):
    """`GET /v1/organization/projects/{id}`."""

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        unmade = directory.unmade_default(self.caller) if public_id == directory.DEFAULT_ID else None
        return Response(unmade or directory.show_project(directory.find_project(self.caller, public_id)))


class KeysOfProject(Listing):
    """`GET /v1/organization/projects/{id}/api_keys`: active keys whose usage is for it."""

    def get(self, request: Request, public_id: str) -> Response:
        window = window_of(request.query_params, known=("owner_project_access",))
        project = directory.find_project(self.caller, public_id)
        rows: Any = directory.keys_of_project(self.caller, project)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_api_key, found))))


class Users(Listing):
    """`GET /v1/organization/users`, with `emails` those of them that have one of these addresses."""

    def get(self, request: Request) -> Response:
        window = window_of(request.query_params, known=("emails",))
        emails = [one for name in ("emails", "emails[]") for one in request.query_params.getlist(name)]
        rows = directory.users_of(self.caller)
        if emails:
            rows = rows.filter(email__in=[one.lower().replace("\0", "") for one in emails])
        return Response(list_of(rows, window, lambda found: directory.show_users(self.caller, found)))


class OneUser(Listing):
    """`GET /v1/organization/users/{id}`."""

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        user = find_seen(directory.users_of(self.caller), public_id=public_id)
        return Response(directory.show_users(self.caller, [user])[0])


class AdminKeys(Listing):
    """`GET /v1/organization/admin_api_keys`."""

    def get(self, request: Request) -> Response:
        window = window_of(request.query_params, known=("order",))
        rows = directory.admin_keys_of(self.caller)
        return Response(list_of(rows, window, lambda found: list(map(directory.show_admin_key, found))))


class OneAdminKey(Listing):
    """`GET /v1/organization/admin_api_keys/{id}`."""

    def get(self, request: Request, public_id: str) -> Response:  # noqa: ARG002 - the framework's signature
        found = find_seen(directory.admin_keys_of(self.caller), public_id=public_id)
        return Response(directory.show_admin_key(found))
