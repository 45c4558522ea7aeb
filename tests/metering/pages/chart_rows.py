"""The table of numbers under a chart, read back from its HTML."""

import html
import re
from typing import Final

from metering.pages.charts import Numbers

ROW: Final = re.compile(r'<tr><th scope="row">(?:<a href="([^"]*)">)?(.*?)(?:</a>)?</th>(.*?)</tr>')
CELL: Final = re.compile(r'<td class="number">(.*?)</td>')


def rows_of(numbers: Numbers) -> list[tuple[str, str, list[str]]]:
    """(bar, where it leads, its values) of each row."""
    return [
        (html.unescape(label), html.unescape(address), [html.unescape(cell) for cell in CELL.findall(cells)])
        for address, label, cells in ROW.findall(numbers.rows)
    ]
