"""Sessions that outlive a run: one file for each account, readable by its owner alone.

A session is as good as the keys it was made with until it ends, so a file or a folder that others
on this machine can read is refused, never mended quietly: they may have read it already.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from mpdex.errors import UsageError
from mpdex.types import Session
from mpdex.utils.keys import DIRECTORY_VARIABLE

VARIABLE: Final = "MPDEX_SESSIONS_DIR"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600


class _Kept(msgspec.Struct):
    headers: dict[str, str]
    expires_ms: int | None = None


_decode: Final = msgspec.json.Decoder(_Kept).decode


class SessionStore:
    """The kept sessions of one venue.

    Args:
        folder: else that of MPDEX_SESSIONS_DIR, else `sessions` in the folder of the key files.
    """

    def __init__(self, venue: str, folder: Path | None = None) -> None:
        self._venue = venue
        self._folder = folder or sessions_folder(os.environ)

    def path(self, account_id: str) -> Path:
        return self._folder / f"{self._venue}-{account_id}.json"

    def load(self, account_id: str) -> Session | None:
        """None: none is kept. Raises: UsageError where others can read it, or it cannot be."""
        path = self.path(account_id)
        try:
            self._check_private(self._folder)
            self._check_private(path)
            kept = _decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            raise self._unusable(path, f"cannot be read ({type(error).__name__})") from None
        return Session(kept.headers, kept.expires_ms)

    def save(self, account_id: str, session: Session) -> None:
        """In place of what was kept. Raises: UsageError."""
        path = self.path(account_id)
        text = msgspec.json.encode(_Kept(dict(session.headers), session.expires_ms))
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._check_private(self._folder)
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, _NEW, _FILE_MODE), "wb") as file:
                file.write(text)
            draft.replace(path)
        except OSError as error:
            raise self._unusable(path, f"cannot be written ({type(error).__name__})") from None

    def forget(self, account_id: str) -> None:
        """Nothing is kept of that account any more."""
        self.path(account_id).unlink(missing_ok=True)

    def _check_private(self, path: Path) -> None:
        if os.name == "posix" and path.stat().st_mode & _OTHERS:
            mode = "700" if path.is_dir() else "600"
            raise self._unusable(path, f"is open to other users; run: chmod {mode} {path}")

    def _unusable(self, path: Path, what: str) -> UsageError:
        return UsageError(f"the kept session {path} {what}", venue=self._venue)


_NEW: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY


def sessions_folder(environ: Mapping[str, str]) -> Path:
    """Where sessions are kept, beside the keys unless the environment says otherwise."""
    chosen = environ.get(VARIABLE)
    return Path(chosen) if chosen else Path(environ.get(DIRECTORY_VARIABLE) or "keys") / "sessions"
