"""Reports that this process made lately, as HTML: whoever asks for the same view again gets it as long as its version holds.

The key says everything that a report is made from. Nothing is kept beyond the process, and no more than PAGES_KEPT_BYTES.
"""

import sys
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Final

from django.conf import settings
from django.utils.safestring import SafeString


class KeptReports:
    """The reports that were asked for last. Threads share it; two that miss the same one both make it."""

    def __init__(self) -> None:
        self._reports: OrderedDict[str, SafeString] = OrderedDict()
        self._num_bytes = 0
        self._lock = Lock()

    def get(self, key: str, make: Callable[[], SafeString]) -> SafeString:
        """The report kept under the key, or else the one that is made now."""
        with self._lock:
            found = self._reports.get(key)
            if found is not None:
                self._reports.move_to_end(key)
                return found
        made = make()
        with self._lock:
            self._keep(key, made)
        return made

    def _keep(self, key: str, report: SafeString) -> None:
        if key in self._reports:
            return
        self._reports[key] = report
        self._num_bytes += sys.getsizeof(report)
        while self._num_bytes > settings.PAGES_KEPT_BYTES:
            _, oldest = self._reports.popitem(last=False)
            self._num_bytes -= sys.getsizeof(oldest)


KEPT: Final = KeptReports()
