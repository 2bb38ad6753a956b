"""Credentials: where they come from, and how they stay out of sight.

For each name, first the environment (`MPDEX_<VENUE>_<NAME>`), then the key file
(`keys/pk_<venue>.py`, a dict `<VENUE>_KEY`), then the OS keyring. The key file is read as data and
never run. keys/README.md explains it to a user.
"""

from __future__ import annotations

import ast
import logging
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from mpdex.errors import MissingCredentials

SERVICE = "mpdex"  # under which the keyring holds them; the user is "<venue>.<name>"
DIRECTORY_VARIABLE = "MPDEX_KEYS_DIR"
HIDDEN = "***"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
# Anything shorter would also hide ordinary words and numbers.
_SHORTEST_SECRET = 6

Source = Callable[[str], str | None]


class Credentials(Mapping[str, str]):
    """The keys of one venue by name; printing it shows the names only."""

    __slots__ = ("_values", "venue")

    def __init__(self, venue: str, values: Mapping[str, str]) -> None:
        self.venue = venue
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Credentials({self.venue}: {', '.join(self._values)})"


def load_credentials(
    venue: str,
    names: Iterable[str],
    optional: Iterable[str] = (),
    *,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Credentials:
    """The credentials of `venue`; an optional one that is nowhere is left out.

    Args:
        environ: in place of the process's environment.
        directory: of the key files; else that of MPDEX_KEYS_DIR, else ./keys.

    Raises:
        MissingCredentials: names the missing keys and where each may be put, or says what is wrong
            with the key file.
    """
    required, extra = tuple(names), tuple(optional)
    variables = os.environ if environ is None else environ
    folder = directory or Path(variables.get(DIRECTORY_VARIABLE) or "keys")
    file = _KeyFile(folder / f"pk_{_plain(venue)}.py", venue)
    sources: tuple[Source, ...] = (
        lambda name: variables.get(variable(venue, name)),
        file.get,
        lambda name: _from_keyring(venue, name),
    )
    values = {name: value for name in (*required, *extra) if (value := _first(sources, name))}
    missing = [name for name in required if name not in values]
    if missing:
        raise MissingCredentials(_advice(venue, missing, file.path), venue=venue)
    return Credentials(venue, values)


def variable(venue: str, name: str) -> str:
    """The environment variable of a credential, as in MPDEX_ACME_API_KEY."""
    return f"MPDEX_{_plain(venue)}_{name}".upper()


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret replaced, with and without a leading 0x."""
    for secret in _spellings(secrets):
        text = text.replace(secret, HIDDEN)
    return text


class SecretFilter(logging.Filter):
    """Takes secrets out of log records, tracebacks included. For handlers."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._secrets: set[str] = set(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """More to hide, as keys and sessions become known."""
        self._secrets.update(secrets)

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage(), self._secrets), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text, self._secrets)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, self._secrets)
        return True


class _KeyFile:
    """pk_<venue>.py, read when it is first needed."""

    def __init__(self, path: Path, venue: str) -> None:
        self.path = path
        self._venue = venue
        self._values: Mapping[str, str] | None = None

    def get(self, name: str) -> str | None:
        if self._values is None:
            self._values = self._read()
        return self._values.get(name)

    def _read(self) -> Mapping[str, str]:
        try:
            with self.path.open(encoding="utf-8") as file:
                self._check_private(os.fstat(file.fileno()).st_mode)
                text = file.read()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._unusable(f"cannot be read ({type(error).__name__})") from None
        return self._parse(text)

    def _check_private(self, mode: int) -> None:
        if os.name == "posix" and mode & _OTHERS:
            raise self._unusable(f"is open to other users; run: chmod 600 {self.path}")

    def _parse(self, text: str) -> Mapping[str, str]:
        wanted = f"{_plain(self._venue)}_KEY".upper()
        try:  # `from None`: a syntax error quotes the line, and the line is a secret
            values = _assigned(ast.parse(text), wanted)
        except (SyntaxError, ValueError):
            raise self._unusable(f"is not a plain dict named {wanted}") from None
        if not isinstance(values, dict):
            raise self._unusable(f"has no dict named {wanted}")
        return {str(name): str(value) for name, value in values.items() if value is not None}

    def _unusable(self, what: str) -> MissingCredentials:
        return MissingCredentials(
            f"{self.path} {what}; {_template(self._venue)} shows the form", venue=self._venue
        )


def _assigned(module: ast.Module, name: str) -> object:
    """The literal that `name` holds in the end, None where it is not assigned."""
    value: object = None
    for node in module.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=found)], value=ast.expr() as held)
                | ast.AnnAssign(target=ast.Name(id=found), value=ast.expr() as held)
            ) if found == name:
                value = ast.literal_eval(held)
    return value


def _from_keyring(venue: str, name: str) -> str | None:
    """None too where no keyring is installed, running or unlocked."""
    if find_spec("keyring") is None:
        return None
    import keyring
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, f"{venue}.{name}")
    except KeyringError:
        return None


def _first(sources: Iterable[Source], name: str) -> str | None:
    return next((value for source in sources if (value := source(name))), None)


def _advice(venue: str, missing: list[str], path: Path) -> str:
    variables = ", ".join(variable(venue, name) for name in missing)
    return (
        f"{', '.join(missing)} missing: set {variables}, "
        f"or copy {_template(venue)} to {path} and fill it in"
    )


def _template(venue: str) -> str:
    return f"keys/copy.pk_{_plain(venue)}.py"


def _plain(venue: str) -> str:
    """A name that files and variables can have."""
    return venue.replace(".", "_").replace("-", "_")


def _spellings(secrets: Iterable[str]) -> list[str]:
    """Longest first, so that no secret hides a part of another and leaves the rest."""
    known = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    bare = {secret[2:] for secret in known if secret[:2].lower() == "0x"}
    return sorted(
        known | {secret for secret in bare if len(secret) >= _SHORTEST_SECRET},
        key=len,
        reverse=True,
    )
