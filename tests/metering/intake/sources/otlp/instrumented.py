"""An application with the providers' own clients and published instrumentations, unchanged: a process of its own.

Arguments: the provider's address, the calls to make, and the instrumentations to load. Where its spans go, OpenTelemetry's own
variables say.
"""

import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Final

import anthropic
import boto3
import openai
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

INSTRUMENTORS: Final = {
    "genai-openai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "openllmetry-anthropic": ("opentelemetry.instrumentation.anthropic", "AnthropicInstrumentor"),
    "openllmetry-bedrock": ("opentelemetry.instrumentation.bedrock", "BedrockInstrumentor"),
    "openinference-anthropic": ("openinference.instrumentation.anthropic", "AnthropicInstrumentor"),
}
PROMPT: Final = "the-prompt-nobody-may-keep"


def chat(address: str) -> None:
    client = openai.OpenAI(base_url=f"{address}/v1", api_key="none")
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": PROMPT}])


def embeddings(address: str) -> None:
    openai.OpenAI(base_url=f"{address}/v1", api_key="none").embeddings.create(
        model="text-embedding-3-small", input=PROMPT
    )


def messages(address: str) -> None:
    anthropic.Anthropic(base_url=address, api_key="none").messages.create(
        model="claude-opus-4-6", max_tokens=100, messages=[{"role": "user", "content": PROMPT}]
    )


def converse(address: str) -> None:
    client = boto3.client(
        "bedrock-runtime",
        endpoint_url=address,
        region_name="us-east-1",
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    client.converse(
        modelId="anthropic.claude-opus-4-6-v1:0", messages=[{"role": "user", "content": [{"text": PROMPT}]}]
    )


CALLS: Final[dict[str, Callable[[str], None]]] = {
    "chat": chat,
    "embeddings": embeddings,
    "messages": messages,
    "converse": converse,
}


def main(address: str, calls: str, instrumentations: str) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    for name in filter(None, instrumentations.split(",")):
        module, instrumentor = INSTRUMENTORS[name]
        getattr(import_module(module), instrumentor)().instrument()
    with trace.get_tracer("application").start_as_current_span("a request of a person"):
        for call in calls.split(","):
            CALLS[call](address)
    provider.shutdown()


if __name__ == "__main__":
    os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
    main(*sys.argv[1:])
