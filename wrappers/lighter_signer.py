"""Lighter, proof of who asks: the venue's own native signer, loaded without the rest of its SDK.

A Go library inside the wheel of lighter-sdk signs transactions and auth tokens. It stamps a
transaction's deadline itself (599 s after this machine's clock) and lets nobody else choose it. It
keeps one table of keys for the whole process, by API key and account, and would ask the venue for a
nonce by a blocking request of its own; made without a URL, as here, it cannot.

Sources: lighter-sdk 1.1.8, signers/*.h and signer_client.py; behavior seen by calling it; read
2026-11-21.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from mpdex.errors import BadOrder, MissingDependency, UsageError

VENUE: Final = "lighter"
LIFE_MS: Final = 599_000  # from signing until a transaction is refused

CREATE_ORDER, CANCEL_ORDER, CANCEL_ALL, MODIFY_ORDER = 14, 15, 16, 17
UPDATE_LEVERAGE, GROUPED_ORDERS, UPDATE_MARGIN = 20, 28, 29
NO_MARKET: Final = 255

_INSTALL: Final = "run: pip install 'mpdex[lighter]'"
_FILES: Final[Mapping[tuple[str, str], str]] = {
    ("linux", "amd64"): "lighter-signer-linux-amd64.so",
    ("linux", "arm64"): "lighter-signer-linux-arm64.so",
    ("darwin", "amd64"): "lighter-signer-darwin-amd64.dylib",
    ("darwin", "arm64"): "lighter-signer-darwin-arm64.dylib",
    ("win32", "amd64"): "lighter-signer-windows-amd64.dll",
}
_MACHINES: Final = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_KEY_BYTES: Final = 40

_TEXT, _POINTER = ctypes.c_char_p, ctypes.c_void_p
_INT, _LONG, _BYTE = ctypes.c_int, ctypes.c_longlong, ctypes.c_uint8


class Signed(NamedTuple):
    """A transaction as it is sent, and the hash that the venue will call it by."""

    tx_type: int
    tx_info: str
    tx_hash: str


class _Order(ctypes.Structure):
    """One order of a group; the names are the transaction's."""

    _fields_ = (
        ("MarketIndex", _LONG),
        ("ClientOrderIndex", _LONG),
        ("BaseAmount", _LONG),
        ("Price", ctypes.c_uint32),
        ("IsAsk", _BYTE),
        ("Type", _BYTE),
        ("TimeInForce", _BYTE),
        ("ReduceOnly", _BYTE),
        ("TriggerPrice", ctypes.c_uint32),
        ("OrderExpiry", _LONG),
    )


class _SignedAnswer(ctypes.Structure):
    _fields_ = (
        ("tx_type", _BYTE),
        ("tx_info", _POINTER),
        ("tx_hash", _POINTER),
        ("message", _POINTER),
        ("error", _POINTER),
    )


class _TextAnswer(ctypes.Structure):
    _fields_ = (("text", _POINTER), ("error", _POINTER))


# Field of a transaction, type of the argument, value where it is left out. In the order of the
# function's arguments; nonce, API key and account follow each.
_Fields = tuple[tuple[str, Any, int | None], ...]
_SKIP: Final = ("SkipNonce", _BYTE, 0)
_INTEGRATOR: Final[_Fields] = (
    ("IntegratorAccountIndex", _LONG, 0),
    ("IntegratorTakerFee", _INT, 0),
    ("IntegratorMakerFee", _INT, 0),
    ("SelfTradeBehaviorMode", _BYTE, 0),
    ("SelfTradeEqualityMode", _BYTE, 0),
    _SKIP,
)
_TRANSACTIONS: Final[Mapping[int, tuple[str, _Fields]]] = {
    CREATE_ORDER: (
        "SignCreateOrder",
        (
            ("MarketIndex", _LONG, None),
            ("ClientOrderIndex", _LONG, None),
            ("BaseAmount", _LONG, None),
            ("Price", _INT, None),
            ("IsAsk", _INT, None),
            ("Type", _INT, None),
            ("TimeInForce", _INT, None),
            ("ReduceOnly", _INT, None),
            ("TriggerPrice", _INT, 0),
            ("OrderExpiry", _LONG, None),
            *_INTEGRATOR,
        ),
    ),
    CANCEL_ORDER: (
        "SignCancelOrder",
        (("MarketIndex", _LONG, None), ("Index", _LONG, None), _SKIP),
    ),
    CANCEL_ALL: (
        "SignCancelAllOrders",
        (
            ("TimeInForce", _INT, None),
            ("Time", _LONG, None),
            ("CancelAllMarketIndex", _LONG, NO_MARKET),
            _SKIP,
        ),
    ),
    MODIFY_ORDER: (
        "SignModifyOrder",
        (
            ("MarketIndex", _LONG, None),
            ("Index", _LONG, None),
            ("BaseAmount", _LONG, None),
            ("Price", _LONG, None),
            ("TriggerPrice", _LONG, 0),
            *_INTEGRATOR,
        ),
    ),
    UPDATE_LEVERAGE: (
        "SignUpdateLeverage",
        (
            ("MarketIndex", _LONG, None),
            ("InitialMarginFraction", _INT, None),
            ("MarginMode", _INT, None),
            _SKIP,
        ),
    ),
    UPDATE_MARGIN: (
        "SignUpdateMargin",
        (
            ("MarketIndex", _LONG, None),
            ("USDCAmount", _LONG, None),
            ("Direction", _INT, None),
            _SKIP,
        ),
    ),
    GROUPED_ORDERS: (
        "SignCreateGroupedOrders",
        (
            ("GroupingType", _BYTE, None),
            ("Orders", ctypes.POINTER(_Order), None),
            ("Length", _INT, None),
            *_INTEGRATOR,
        ),
    ),
}
# Between nonce and key; a modification alone has it.
_VERSION: Final = "OrderVersion"
# Bounds that the library does not check, or wraps around silently.
_BOUNDS: Final[Mapping[str, int]] = {
    "ClientOrderIndex": 2**48 - 1,
    "BaseAmount": 2**48 - 1,
    "Price": 2**32 - 1,
    "TriggerPrice": 2**32 - 1,
    "Index": 2**60 - 1,
    "InitialMarginFraction": 10_000,
    "OrderExpiry": 2**63 - 1,
    "MarketIndex": 2**63 - 1,
    "USDCAmount": 2**60 - 1,
    "Time": 2**63 - 1,
}


class LighterSigner:
    """Signs for one API key of one account.

    Args:
        private_key: 40 bytes in hex, with or without 0x.
        chain_id: of the deployment; 304 is mainnet.

    Raises: UsageError for a malformed key or index; MissingDependency without the library.
    """

    def __init__(
        self, private_key: str, *, account_index: int, api_key_index: int, chain_id: int
    ) -> None:
        self._key = _key(private_key)
        self.account_index, self.api_key_index = account_index, api_key_index
        self._chain_id = chain_id
        self._library = _load()
        self._enter()

    def __repr__(self) -> str:
        return f"LighterSigner(account={self.account_index}, api_key={self.api_key_index})"

    def sign(self, tx_type: int, fields: Mapping[str, Any], nonce: int) -> Signed:
        """A transaction from its fields by the venue's names.

        Raises: BadOrder for a value out of range, or one that the signer refuses.
        """
        _check(fields, nonce)
        function, arguments = self._library.call(tx_type, fields)
        version = (fields.get(_VERSION, 0),) if tx_type == MODIFY_ORDER else ()
        self._enter()
        answer = function(*arguments, nonce, *version, self.api_key_index, self.account_index)
        return self._library.signed(answer)

    def auth_token(self, deadline: int) -> str:
        """The token of private reads and streams, good until `deadline` (seconds since the epoch).

        The venue takes no token that lives longer than eight hours; the signer signs any.
        """
        self._enter()
        create = self._library.functions.CreateAuthToken
        answer = create(deadline, self.api_key_index, self.account_index)
        text, error = map(self._library.take, (answer.text, answer.error))
        if error or not text:
            raise UsageError(f"no auth token: {error}", venue=VENUE)
        return text

    def _enter(self) -> None:
        """Makes this key the one of its place in the library's table."""
        self._library.enter(self, (self.api_key_index, self.account_index), self._create)

    def _create(self) -> str:
        functions, key = self._library.functions, self._key.encode()
        return self._library.take(
            functions.CreateClient(b"", key, self._chain_id, self.api_key_index, self.account_index)
        )


class _Library:
    """The library's functions with their types, and whose key is in which place of its table."""

    def __init__(self, path: Path) -> None:
        self.functions = functions = ctypes.CDLL(str(path))
        functions.Free.argtypes, functions.Free.restype = [_POINTER], None
        functions.CreateClient.argtypes = [_TEXT, _TEXT, _INT, _INT, _LONG]
        functions.CreateClient.restype = _POINTER
        functions.CreateAuthToken.argtypes = [_LONG, _INT, _LONG]
        functions.CreateAuthToken.restype = _TextAnswer
        for tx_type, (name, fields) in _TRANSACTIONS.items():
            version = [_LONG] if tx_type == MODIFY_ORDER else []
            function = getattr(functions, name)
            function.argtypes = [*(kind for _, kind, _ in fields), _LONG, *version, _INT, _LONG]
            function.restype = _SignedAnswer
        self._owners: WeakValueDictionary[tuple[int, int], LighterSigner] = WeakValueDictionary()

    def call(self, tx_type: int, fields: Mapping[str, Any]) -> tuple[Any, list[Any]]:
        """The function of a transaction, and its own arguments."""
        name, named = _TRANSACTIONS[tx_type]
        if tx_type == GROUPED_ORDERS:
            fields = _grouped(fields)
        arguments = [
            fields[field] if default is None else fields.get(field, default)
            for field, _, default in named
        ]
        return getattr(self.functions, name), arguments

    def enter(
        self, owner: LighterSigner, place: tuple[int, int], create: Callable[[], str]
    ) -> None:
        """Raises: UsageError: the key is none."""
        if self._owners.get(place) is owner:
            return
        if create():
            raise UsageError("private_key is not one of this venue", venue=VENUE)
        self._owners[place] = owner

    def signed(self, answer: Any) -> Signed:
        """Every text is released, whichever of them is used."""
        error, tx_info, tx_hash, _ = map(
            self.take, (answer.error, answer.tx_info, answer.tx_hash, answer.message)
        )
        if error or not tx_info:
            raise BadOrder(f"the signer refuses: {error}", venue=VENUE)
        return Signed(answer.tx_type, tx_info, tx_hash)

    def take(self, pointer: int | None) -> str:
        """The text there, which is then given back to the library; "" for none."""
        if not pointer:
            return ""
        try:
            return ctypes.string_at(pointer).decode()
        finally:
            self.functions.Free(pointer)


@cache
def _load() -> _Library:
    """Raises: MissingDependency."""
    path = _path()
    try:
        return _Library(path)
    except (OSError, AttributeError) as error:
        raise MissingDependency(
            f"{path.name} cannot be loaded here ({type(error).__name__}): lighter-sdk 1.1.8 or "
            f"later is needed, and a Linux with glibc, not musl; {_INSTALL}",
            venue=VENUE,
        ) from error


def _path() -> Path:
    """Where lighter-sdk keeps the library for this platform; the package is not imported."""
    import platform

    machine = _MACHINES.get(platform.machine().lower(), "")
    name = _FILES.get((sys.platform, machine))
    if name is None:
        where = f"{sys.platform} on {platform.machine()}"
        raise MissingDependency(f"the venue has no signer for {where}", venue=VENUE)
    spec = find_spec("lighter")
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / "signers" / name
        if path.is_file():
            return path
    raise MissingDependency(f"lighter-sdk is not installed; {_INSTALL}", venue=VENUE)


def _key(text: str) -> str:
    digits = text.strip().removeprefix("0x")
    try:
        right = len(bytes.fromhex(digits)) == _KEY_BYTES
    except ValueError:
        right = False
    if not right:
        raise UsageError(f"private_key is not {2 * _KEY_BYTES} hexadecimal digits", venue=VENUE)
    return digits


def _check(fields: Mapping[str, Any], nonce: int) -> None:
    """Raises: BadOrder. A price of 2**32 or more would be signed as another one."""
    for name, value in fields.items():
        bound = _BOUNDS.get(name)
        if bound is not None and not 0 <= value <= bound:
            raise BadOrder(f"{name} {value} is not within 0 and {bound}", venue=VENUE)
    if fields.get("MarketIndex") == NO_MARKET:
        raise BadOrder(f"MarketIndex {NO_MARKET} means no market", venue=VENUE)
    if nonce < 0:
        raise BadOrder("a transaction needs its nonce", venue=VENUE)


def _grouped(fields: Mapping[str, Any]) -> dict[str, Any]:
    orders = fields["Orders"]
    for order in orders:
        _check(order, 0)
    return {
        **fields,
        "Orders": (_Order * len(orders))(*(_Order(**order) for order in orders)),
        "Length": len(orders),
    }
