"""The `genai-prices` package as a list of who sells which model: the entry that a model's name means, if it means one.

A name means the entry that the package itself finds for it; else the entry with this very id; else, where the name says who
sells it (`groq/…`, or Bedrock's `us.anthropic.…`), that seller's; else what the sellers' own rules make of it. Where several
sell it at different prices, it means none of them until somebody says which.
"""

from collections.abc import Iterator
from typing import Final

from genai_prices.data_snapshot import DataSnapshot, find_provider_by_id, get_snapshot
from genai_prices.types import ModelInfo, Provider

Entry = tuple[Provider, ModelInfo]
NAMED_PROVIDERS: Final = ("openai",)
"""Asked by name when the model's name alone says nothing to the package: OpenAI's embeddings, for example."""
BEDROCK: Final = "aws"
BEDROCK_AREAS: Final = frozenset({"global", "regional"})
_by_id: dict[int, dict[str, list[Entry]]] = {}


def entries() -> Iterator[Entry]:
    """The whole list."""
    for provider in get_snapshot().providers:
        for model in provider.models:
            yield provider, model


def find_of(name: str, provider_id: str) -> Entry | None:
    """The entry of one seller, by the package's name of it or one like it (`bedrock`, `vertex_ai`)."""
    provider = find_provider_by_id(get_snapshot().providers, provider_id)
    if provider is None:
        return None
    own = [entry for entry in _with_id(name) if entry[0] is provider]
    if own:
        return own[0]
    model = provider.find_model(name, all_providers=get_snapshot().providers)
    return (provider, model) if model else None


def inferred(name: str) -> Entry | None:
    """The entry that the package itself finds for a name without a seller."""
    lowered = name.lower()
    for provider in get_snapshot().providers:
        if provider.model_match is not None and provider.model_match.is_match(lowered):
            model = provider.find_model(name, all_providers=get_snapshot().providers)
            if model is not None:
                return provider, model
            break
    return next((found for seller in NAMED_PROVIDERS if (found := find_of(name, seller))), None)


def possible(name: str) -> list[Entry]:
    """The entries that a name may mean, of the strongest kind that there is any of."""
    exact = _with_id(name)
    seller = seller_in(name)
    if exact:
        named = [entry for entry in exact if seller and entry[0].id == seller[0]]
        return named or exact
    if seller and (found := find_of(seller[1], seller[0])):
        return [found]
    return sellers_of(name)


def sellers_of(name: str) -> list[Entry]:
    """Every seller's own entry for a name."""
    return [
        (provider, model) for provider in get_snapshot().providers if (model := provider.find_model(name)) is not None
    ]


def seller_in(name: str) -> tuple[str, str] | None:
    """(seller's id, the model's name with them), where the name says who sells it."""
    prefix, slash, rest = name.partition("/")
    if slash and rest:
        provider = find_provider_by_id(get_snapshot().providers, prefix)
        return (provider.id, rest) if provider else None
    parts = name.lower().split(".")
    is_bedrock = len(parts) > 1 and not _bedrock_makers().isdisjoint(parts[: min(2, len(parts) - 1)])
    return (BEDROCK, name) if is_bedrock else None


def _bedrock_makers() -> set[str]:
    """What stands before the dot in Bedrock's names, behind the area: `anthropic`, `amazon` …"""
    provider = find_provider_by_id(get_snapshot().providers, BEDROCK)
    names = [model.id.split(".") for model in provider.models] if provider else []
    return {parts[1] if parts[0] in BEDROCK_AREAS else parts[0] for parts in names if len(parts) > 1}


def _with_id(name: str) -> list[Entry]:
    return _index(get_snapshot()).get(name.lower(), [])


def _index(snapshot: DataSnapshot) -> dict[str, list[Entry]]:
    if id(snapshot) not in _by_id:
        _by_id.clear()
        index = _by_id[id(snapshot)] = {}
        for provider, model in entries():
            index.setdefault(model.id.lower(), []).append((provider, model))
    return _by_id[id(snapshot)]
