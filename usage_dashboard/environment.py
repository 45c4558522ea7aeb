"""Settings from the environment: each read as it is, with everything that cannot be said at once."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

from usage_dashboard.machine.embedded import DataDirectoryError

T = TypeVar("T")
WORDS: Final = {
    **dict.fromkeys(("1", "true", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "no", "n", "off"), False),
}


class SettingsError(SystemExit):
    """Settings that cannot be. Uncaught, it ends any program with its sentences and exit status 1, without a traceback."""


class Environment:
    """What an operator may set. An empty value is the default; one that cannot be is a problem, and the default meanwhile.

    Values are taken as they are, also one that begins with `$`; spaces around all but texts are ignored.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self.names: set[str] = set()
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        """The value to the letter."""
        self.names.add(name)
        return self.values.get(name) or default

    def secret(self, name: str, *, unset: Callable[[], str]) -> str:
        """The value to the letter, or what `unset` makes, which may say why it cannot. An empty one is somebody's mistake."""
        if name in self.values and not self.values[name].strip():
            self.problems.append(f"{name} is empty: set it to 50 random characters, or do not set it.")
        try:
            return self.text(name) or unset()
        except DataDirectoryError as error:
            self.problems.append(str(error))
            return ""

    def words(self, name: str, default: list[str]) -> list[str]:
        """What is between commas."""
        return self.read(name, _words, default)

    def whole(self, name: str, default: int, *, least: int = 0, most: int | None = None) -> int:
        return self.read(name, lambda value: _whole(value, least, most), default)

    def number(self, name: str, default: float, *, least: float = 0.0) -> float:
        return self.read(name, lambda value: _number(value, least), default)

    def share(self, name: str, default: Decimal) -> Decimal:
        """A part of one: 0.19 is 19%."""
        return self.read(name, _share, default)

    def switch(self, name: str, *, default: bool) -> bool:
        return self.read(name, _switch, default)

    def read(self, name: str, parse: Callable[[str], T], default: T) -> T:
        """The value as `parse` makes it. Its ValueError is the rest of a sentence that begins with the setting's name."""
        value = self.text(name).strip()
        if value:
            try:
                return parse(value)
            except ValueError as error:
                self.problems.append(f"{name} {error}")
        return default

    def check(self) -> None:
        """Raises SettingsError with a sentence for each problem, if there are any."""
        if self.problems:
            sentences = "\n".join(f"- {problem}" for problem in self.problems)
            raise SettingsError(f"Settings that cannot be (docs/operations.md lists what each one takes):\n{sentences}")


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _whole(value: str, least: int, most: int | None) -> int:
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"is “{value}”: it must be a whole number.") from None
    if number < least:
        raise ValueError(f"is {value}: it must be at least {least}.")
    if most is not None and number > most:
        raise ValueError(f"is {value}: it must be at most {most}.")
    return number


def _number(value: str, least: float) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"is “{value}”: it must be a number.")
    if number < least:
        raise ValueError(f"is {value}: it must be at least {least:g}.")
    return number


def _share(value: str) -> Decimal:
    try:
        share = Decimal(value)
    except InvalidOperation:
        share = Decimal("NaN")
    if not (share.is_finite() and 0 <= share <= 1):
        raise ValueError(f"is “{value}”: it must be a number from 0 to 1; 0.19 is 19%.")
    return share


def _switch(value: str) -> bool:
    try:
        return WORDS[value.lower()]
    except KeyError:
        raise ValueError(f"is “{value}”: it must be 1 or 0 (or true, false, yes, no, on, off).") from None
