"""Reading a query string that anyone can type: bounded values, and a sentence for each that cannot be used."""

from typing import Final

from django.http import QueryDict

MAX_VALUES: Final = 20
MAX_CHARACTERS: Final = 128
SHOWN_CHARACTERS: Final = 40


class Reader:
    """Takes values out of a query string and keeps a sentence for each that cannot be used."""

    def __init__(self, data: QueryDict) -> None:
        self._data = data
        self.ignored: list[str] = []

    def ignore(self, sentence: str) -> None:
        if sentence not in self.ignored:
            self.ignored.append(sentence)

    def single(self, name: str) -> str:
        values = [value for value in self._data.getlist(name) if value]
        if len(values) > 1:
            self.ignore(f"“{name}” was given {len(values)} times; only the first is used.")
        return values[0] if values else ""

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.single(name)
        if value and value not in allowed:
            self.ignore(f"“{name}={shortened(value)}” was ignored; it can be {', '.join(allowed)}.")
            return ""
        return value

    def several(self, name: str, kind: str) -> list[str]:
        """The distinct values of a filter, in order; `kind` is what sentences call it."""
        values = list(dict.fromkeys(value for value in self._data.getlist(name) if value))
        if len(values) > MAX_VALUES:
            self.ignore(f"Only the first {MAX_VALUES} values of “{name}” are used.")
        usable = []
        for value in values[:MAX_VALUES]:
            if len(value) > MAX_CHARACTERS or "\x00" in value:
                self.unknown(kind, value)
            else:
                usable.append(value)
        return usable

    def number(self, name: str, *, lowest: int, highest: int) -> int | None:
        """A whole number in the range; None where there is none."""
        value = self.single(name)
        if not value:
            return None
        if value.isascii() and value.isdecimal() and len(value) <= 9 and lowest <= int(value) <= highest:
            return int(value)
        self.ignore(f"“{name}={shortened(value)}” was ignored; it is a number from {lowest} to {highest}.")
        return None

    def text(self, name: str) -> str:
        """A text to search for, cut to what can be searched."""
        value = self.single(name).strip()
        if "\x00" in value:
            self.ignore(f"“{name}” was ignored; it contains an invalid character.")
            return ""
        return value[:MAX_CHARACTERS]

    def unknown(self, kind: str, value: str) -> None:
        self.ignore(f"The filter “{kind}: {shortened(value)}” was ignored; no such usage was found.")


def shortened(text: str) -> str:
    """A value as a sentence can quote it: one line, of bounded length."""
    line = "".join(character if character.isprintable() else "�" for character in text[:SHOWN_CHARACTERS])
    return f"{line}…" if len(text) > SHOWN_CHARACTERS else line
