"""What budgets are about, by name: as pages show it, and as webhooks, gateways and the audit log are told."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from accounts.models import Project, User
from apikeys.models import APIKey
from billing.alerts import BudgetKind, Scope
from metering.models import Model

WORDS: Final = {
    BudgetKind.ORGANIZATION: "Whole organization",
    BudgetKind.PROJECT: "Project",
    BudgetKind.API_KEY: "API key",
    BudgetKind.USER: "User",
    BudgetKind.MODEL: "Model",
    BudgetKind.ATTRIBUTE: "Attribute",
}


@dataclass(frozen=True)
class Target:
    """What a budget is about. `word` stands for it in addresses: a public id, a model's name, or 'name:value'.

    `state` says what became of it: that it is archived, revoked or has left; empty while it is in use.
    """

    scope: Scope
    word: str
    name: str
    detail: str = ""
    state: str = ""

    @property
    def kind(self) -> str:
        return WORDS[self.scope.kind]

    @property
    def sentence(self) -> str:
        """'project Search', in a sentence; empty for the whole organization."""
        if self.scope.kind == BudgetKind.ORGANIZATION:
            return ""
        return f"{noun_of(self.scope.kind)} {self.name}"

    def as_data(self) -> dict[str, str]:
        """As webhooks and the audit log have it."""
        kind = self.scope.kind.label
        if self.scope.kind == BudgetKind.ORGANIZATION:
            return {"kind": kind}
        return {"kind": kind, "id": self.word, "name": self.name}


def noun_of(kind: BudgetKind) -> str:
    """'API key', 'project': within a sentence."""
    return WORDS[kind] if kind == BudgetKind.API_KEY else WORDS[kind].lower()


def target_of(scope: Scope) -> Target:
    return targets_of([scope])[scope]


def targets_of(scopes: Iterable[Scope]) -> dict[Scope, Target]:
    """The targets of these scopes, whatever became of them; one query for each kind."""
    found: dict[Scope, Target] = {}
    wanted = set(scopes)
    for kind, find in _FINDERS.items():
        if ids := {scope.target_id for scope in wanted if scope.kind == kind}:
            found |= {target.scope: target for target in find(ids)}
    rest = {scope: _without_row(scope) for scope in wanted if scope not in found}
    return found | rest


def target_of_user(user: User, *, state: str = "") -> Target:
    detail = user.email if user.name else ""
    return Target(Scope(BudgetKind.USER, user.pk), user.public_id, user.name or user.email, detail, state)


def target_of_key(api_key: APIKey) -> Target:
    owner = api_key.user.name or api_key.user.email
    return Target(
        Scope(BudgetKind.API_KEY, api_key.pk),
        api_key.public_id,
        api_key.name,
        f"{api_key.redacted}, {owner}",
        "revoked" if api_key.revoked_at is not None else "",
    )


def target_of_model(model: Model) -> Target:
    return Target(Scope(BudgetKind.MODEL, model.pk), model.name, model.name)


def target_of_project(project: Project) -> Target:
    state = "archived" if project.archived_at is not None else ""
    return Target(Scope(BudgetKind.PROJECT, project.pk), project.public_id, project.name, state=state)


def target_of_value(attribute: str, value: str) -> Target:
    word = f"{attribute}:{value}"
    return Target(Scope(BudgetKind.ATTRIBUTE, value=word), word, f"{attribute}: {value}")


def split_value(value: str) -> tuple[str, str]:
    """'team:a:b' → 'team', 'a:b'."""
    name, _, text = value.partition(":")
    return name, text


def _without_row(scope: Scope) -> Target:
    if scope.kind == BudgetKind.ATTRIBUTE:
        return target_of_value(*split_value(scope.value))
    return Target(scope, "", WORDS[scope.kind])


_Finder = Callable[[Iterable[int]], Iterable[Target]]
_FINDERS: Mapping[BudgetKind, _Finder] = {
    BudgetKind.PROJECT: lambda ids: map(target_of_project, Project.objects.filter(pk__in=ids)),
    BudgetKind.API_KEY: lambda ids: map(target_of_key, APIKey.objects.filter(pk__in=ids).select_related("user")),
    BudgetKind.USER: lambda ids: map(target_of_user, User.objects.filter(pk__in=ids)),
    BudgetKind.MODEL: lambda ids: map(target_of_model, Model.objects.filter(pk__in=ids)),
}
