"""No secret in anything a test run leaves behind: the oracle's O10, over all artefacts at once.

Every simulated world has keys of its own. They are noted as the worlds are made, and at the end
every file of the run (journals, logs, tables, summaries, alerts, tracebacks) is searched for them,
as is every warning that was logged meanwhile.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mpdex.sim.run import Running

# Names of credentials that are no secret: an account's number, and the public half of a key pair.
_PUBLIC = frozenset({("grvt", "sub_account_id"), ("backpack", "api_key")})
# Where `mpdex sim` hands its throwaway keys to whoever joins it: that is what the file is for.
_HANDED_OVER = "venues.json"
# Base64 has slashes in it, and addresses have slashes between words.
_WORDS = (re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}"), re.compile(r"[A-Za-z0-9+_-]{16,}={0,2}"))


class Artefacts(logging.Handler):
    """What must not be found, and where it was."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.secrets: set[str] = set()
        self.found: list[str] = []

    def learn(self, world: Running) -> None:
        """Notes the keys of a world."""
        for venue, keys in world.credentials.items():
            for name, value in keys.items():
                if (venue, name) not in _PUBLIC and not name.endswith("address"):
                    self.secrets |= {value, value.removeprefix("0x")}

    def emit(self, record: logging.LogRecord) -> None:
        self._look(f"the log, {record.name}", self.format(record))

    def search(self, folder: Path) -> None:
        """Looks into every file under a folder."""
        for file in folder.rglob("*"):
            if file.is_file() and not file.is_symlink() and file.name != _HANDED_OVER:
                self._look(str(file), file.read_text(encoding="utf-8", errors="replace"))

    def _look(self, where: str, text: str) -> None:
        if any(not self.secrets.isdisjoint(word.findall(text)) for word in _WORDS):
            self.found.append(where)


@contextmanager
def watched(artefacts: Artefacts) -> Iterator[None]:
    """Notes the keys of every world that is made, and reads along in the log."""
    made, log = Running.__init__, logging.getLogger("mpdex")

    def making(self: Running, *arguments: Any, **named: Any) -> None:
        made(self, *arguments, **named)
        artefacts.learn(self)

    log.addHandler(artefacts)
    try:
        with patch.object(Running, "__init__", making):
            yield
    finally:
        log.removeHandler(artefacts)
