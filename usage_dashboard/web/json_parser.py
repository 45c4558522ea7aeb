"""What reads the bodies of the API's other calls: for Django REST framework, which imports it while it is being imported."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class Parser(JSONParser):
    """JSON that is nested too deeply to be read is no JSON."""

    def parse(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().parse(*arguments, **named)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
