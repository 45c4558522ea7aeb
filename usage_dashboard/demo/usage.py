"""What the demo's keys do: events with the rhythm of hours, weekdays and growth, the same ones for the same enterprise."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from metering.intake.formats.events import Event
from usage_dashboard.demo import purposes
from usage_dashboard.demo.people import DemoKey, Enterprise

HOUR: Final = timedelta(hours=1)
# Share of a day's requests in each UTC hour, and of a week's in each weekday, relative to their mean
HOURS: Final = (
    *(0.35, 0.30, 0.28, 0.28, 0.32, 0.45, 0.70, 1.10, 1.60, 1.85, 1.90, 1.75),
    *(1.60, 1.75, 1.85, 1.80, 1.60, 1.30, 1.00, 0.80, 0.65, 0.55, 0.45, 0.37),
)  # fmt: skip
WEEKDAYS: Final = (1.15, 1.20, 1.22, 1.18, 1.10, 0.58, 0.57)
GROWTH_OVER_PERIOD: Final = 0.35
NIGHT_HOURS: Final = (1, 2, 3)


def _size(rng: random.Random, median: float, spread: float = 0.7) -> int:
    return max(1, int(rng.lognormvariate(math.log(median), spread)))


def _tokens(rng: random.Random, model: str, context: float, generated: float, cached: float = 0.3) -> dict[str, Any]:
    input_tokens = _size(rng, context)
    return {
        "usage_type": "completions",
        "model": model,
        "input_tokens": input_tokens,
        "input_cached_tokens": int(input_tokens * rng.uniform(0, 2 * cached)) // 128 * 128,
        "output_tokens": _size(rng, generated),
    }


def _chat(rng: random.Random) -> dict[str, Any]:
    return _tokens(rng, rng.choices(("gpt-4o", "gpt-4o-mini"), (0.45, 0.55))[0], 1400, 260)


def _assistant(rng: random.Random) -> dict[str, Any]:
    return _tokens(rng, rng.choices(("gpt-4o", "claude-sonnet-4-5"), (0.5, 0.5))[0], 3200, 420, cached=0.4)


def _reasoning(rng: random.Random) -> dict[str, Any]:
    return _tokens(rng, "o3", 2100, 1900, cached=0.2)


def _long(rng: random.Random) -> dict[str, Any]:
    model = rng.choices(("gemini-2.5-pro", "claude-sonnet-4-5"), (0.6, 0.4))[0]
    return _tokens(rng, model, 21_000, 900, cached=0.45)


def _nightly(rng: random.Random) -> dict[str, Any]:
    return _tokens(rng, "gpt-4o-mini", 900, 180, cached=0.1) | {"batch": True}


def _embedding(rng: random.Random) -> dict[str, Any]:
    requests = rng.randint(1, 8)
    return {
        "usage_type": "embeddings",
        "model": "text-embedding-3-small",
        "num_model_requests": requests,
        "input_tokens": requests * _size(rng, 480),
    }


def _transcription(rng: random.Random) -> dict[str, Any]:
    return {"usage_type": "audio_transcriptions", "model": "whisper-1", "seconds": _size(rng, 95)}


def _speech(rng: random.Random) -> dict[str, Any]:
    return {"usage_type": "audio_speeches", "model": "tts-1", "characters": _size(rng, 420)}


def _image(rng: random.Random) -> dict[str, Any]:
    images = rng.choice((1, 1, 1, 2, 4))
    tokens = {"input_tokens": _size(rng, 90), "output_tokens": images * 1056}
    return {"usage_type": "images", "model": "gpt-image-1", "images": images, **tokens}


def _unpriced(rng: random.Random) -> dict[str, Any]:
    return _tokens(rng, "acme-open-weights-70b", 1100, 300, cached=0)


def _tools(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {"usage_type": "code_interpreter_sessions", "num_sessions": 1}
    return _tokens(rng, "gpt-4o", 2600, 500)


def _search(rng: random.Random) -> dict[str, Any]:
    if rng.random() < 0.4:
        return {"usage_type": "web_search_calls", "model": "gpt-4o"}
    return _tokens(rng, "gpt-4o-mini", 2400, 320)


KINDS: Final[dict[str, Callable[[random.Random], dict[str, Any]]]] = {
    "assistant": _assistant,
    "chat": _chat,
    "embedding": _embedding,
    "image": _image,
    "long": _long,
    "nightly": _nightly,
    "reasoning": _reasoning,
    "search": _search,
    "speech": _speech,
    "tools": _tools,
    "transcription": _transcription,
    "unpriced": _unpriced,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The usage of an enterprise in the `days` before it was made, in order of time."""

    enterprise: Enterprise
    days: int

    @property
    def start(self) -> datetime:
        """A little inside the oldest moment from which events are accepted, so that a slow fill stays inside too."""
        return self.enterprise.created_at - timedelta(days=self.days) + 2 * HOUR

    @property
    def expected_events(self) -> int:
        return int(sum(key.requests_per_day for key in self.enterprise.keys) * self.days)

    def events(self) -> Iterator[Event]:
        rng = random.Random(20_231_220)  # noqa: S311 - a demo wants the same numbers again, not secrets
        hour = self.start
        while hour < self.enterprise.created_at:
            end = min(hour + HOUR, self.enterprise.created_at)
            yield from sorted(self._hour(rng, hour, end), key=lambda event: event.timestamp)
            hour = end

    def _hour(self, rng: random.Random, start: datetime, end: datetime) -> Iterator[Event]:
        share = (end - start) / HOUR * self._growth(start) * WEEKDAYS[start.weekday()] / 24
        for number, key in enumerate(self.enterprise.keys):
            for count in range(_poisson(rng, key.requests_per_day * share * _hour_factor(key, start))):
                at = start + (end - start) * rng.random()
                if key.until is None or at < key.until:
                    yield Event(
                        id=f"demo-{number}-{start:%Y%m%d%H}-{count}",
                        timestamp=at,
                        api_key_id=key.public_id,
                        organization=key.organization,
                        attributes=purposes.attributes_of(rng, key.name),
                        **KINDS[key.kind](rng),
                    )

    def _growth(self, at: datetime) -> float:
        return 1 + GROWTH_OVER_PERIOD * ((at - self.start) / timedelta(days=self.days) - 0.5)


def _hour_factor(key: DemoKey, at: datetime) -> float:
    if key.kind == "nightly":
        return 24 / len(NIGHT_HOURS) if at.hour in NIGHT_HOURS else 0
    return HOURS[at.hour]


def _poisson(rng: random.Random, mean: float) -> int:
    """A Poisson variate; the normal approximation serves for large means."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
