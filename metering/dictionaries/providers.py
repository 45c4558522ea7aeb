"""Providers that are known before anybody uses them, by the id that the default price list has for each."""

from functools import cache
from typing import Final

from genai_prices.data_snapshot import get_snapshot

PROVIDERS: Final = {
    "amazon": "aws",
    "amazon_bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "azure_ai": "azure",
    "azure_ai_inference": "azure",
    "azure_ai_openai": "azure",
    "azure_openai": "azure",
    "az_ai_inference": "azure",
    "az_ai_openai": "azure",
    "fireworks_ai": "fireworks",
    "gcp_gemini": "google",
    "gcp_gen_ai": "google",
    "gcp_vertex_ai": "google",
    "gemini": "google",
    "google_ai_studio": "google",
    "google_genai": "google",
    "vertex": "google",
    "vertex_ai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "togetherai": "together",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
"""Other names of providers (with `_` for `.`, `-`, `/` and spaces) → the id that the price list has for them."""


@cache
def known_names() -> frozenset[str]:
    """The providers of the price list, and other names of them."""
    return frozenset({*PROVIDERS, *(provider.id for provider in get_snapshot().providers)})
