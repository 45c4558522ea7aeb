"""An accent colour in both themes, as readable as the product's own.

Contrast is that of WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio); 4.5 is what it asks of text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

HEX: Final = re.compile(r"#[0-9A-Fa-f]{6}")
LEAST_CONTRAST: Final = 4.5
WHITE: Final = "#ffffff"
LIGHT_GROUNDS: Final = ("#fbfbfa", "#ffffff")
"""What text in the accent stands on, and what stands on the accent: `--page` and `--surface` of static/css/tokens.css."""
DARK_GROUNDS: Final = ("#131211", "#1b1a18")
STEPS: Final = 20


@dataclass(frozen=True)
class Accent:
    """The colour of links and buttons, `#rrggbb`, and a pale ground for words in it, for each theme."""

    light: str
    dark: str
    light_ground: str
    dark_ground: str

    @property
    def version(self) -> str:
        """Another text for another colour."""
        return f"{self.light}{self.dark}".replace("#", "")


def accent(text: str) -> Accent:
    """'#7c3aed', or '#7c3aed, #b794f6' for the light and the dark theme; without the second, the first is made lighter.

    Raises ValueError, with the contrast that was measured where that is the reason.
    """
    light, _, dark = (part.strip().lower() for part in text.partition(","))
    for color in (light, dark or light):
        if not HEX.fullmatch(color):
            raise ValueError(
                f"has “{color}”: a colour is written as in #0b6b5d, and a second one is for the dark theme."
            )
    dark = dark or next(
        color for color in _mixtures(light, WHITE, most=1.0) if _least_contrast(color, DARK_GROUNDS) >= LEAST_CONTRAST
    )
    for theme, color, grounds in (("light", light, LIGHT_GROUNDS), ("dark", dark, DARK_GROUNDS)):
        found = _least_contrast(color, grounds)
        if found < LEAST_CONTRAST:
            raise ValueError(
                f"has “{color}”: its contrast in the {theme} theme is {int(found * 10) / 10}, "
                f"and text needs {LEAST_CONTRAST}. Choose a {'darker' if theme == 'light' else 'lighter'} one."
            )
    return Accent(light, dark, _ground(light, LIGHT_GROUNDS[1], 0.13), _ground(dark, DARK_GROUNDS[0], 0.2))


def contrast(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """`share` of `other` in `one`."""
    parts = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(first + (second - first) * share):02x}" for first, second in parts)


def _ground(color: str, page: str, share: float) -> str:
    """A pale mixture of the colour and the page on which words in the colour can be read; the page where none can."""
    pale = (mixed(page, color, share * (STEPS - step) / STEPS) for step in range(STEPS + 1))
    return next((ground for ground in pale if contrast(color, ground) >= LEAST_CONTRAST), page)


def _mixtures(color: str, other: str, *, most: float) -> Iterator[str]:
    return (mixed(color, other, most * step / STEPS) for step in range(STEPS + 1))


def _least_contrast(color: str, grounds: tuple[str, ...]) -> float:
    return min(contrast(color, ground) for ground in grounds)


def _channels(color: str) -> list[int]:
    return [int(color[place : place + 2], 16) for place in (1, 3, 5)]


def _luminance(color: str) -> float:
    linear = [_linear(channel / 255) for channel in _channels(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
