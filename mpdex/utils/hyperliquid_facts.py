"""Hyperliquid's public side, and who is read: what needs neither a key nor an account.

Anybody may read any address, so what matters is to read the right one. An agent's own address
answers like an empty account; `check_role` refuses it before anything is read.

Source: hyperliquid.gitbook.io, "Info endpoint", "Perpetuals", "Spot", "Rate limits and user
limits"; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from mpdex.errors import (
    AuthError,
    MissingCredentials,
    MpdexError,
    ProtocolError,
    RateLimited,
    TransportError,
    Unsupported,
)
from mpdex.types import BookUpdate, FundingRate, Json, Market, MarketKind, Request
from mpdex.utils.common_hyperliquid import (
    INFO,
    checked,
    decode_perps,
    decode_spots,
    named_address,
    token_names,
)
from mpdex.utils.hyperliquid_errors import failure_of, reason_class
from mpdex.utils.translation import Translation

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer

_NOBODY: Final = "0x" + 40 * "0"  # an address whose state is empty, and has the time in it
LIGHT, USUAL, _ROLE = 2, 20, 60  # weights of reads
_HOUR_MS: Final = 3_600_000
_NOT_ACCOUNTS: Final = frozenset({"agent", "missing"})


class HyperliquidFacts(Translation):
    """Addresses, markets, prices.

    Attributes:
        keys: of them `vault_address`, `account_address`, `builder` and `builder_fee` are read here.
        dexs: names of the builders' dexs whose markets are listed, besides the main one.
    """

    keys: Mapping[str, str]
    dexs: tuple[str, ...] = ()

    # ----------------------------------------------------------------- who is read

    @property
    def read_address(self) -> str:
        """Whose state is read: the vault's, else the account's, else that of the key itself.

        Raises: MissingCredentials where neither is known.
        """
        return named_address(self.keys) or self.own_address().lower()

    @property
    def account_key(self) -> str:
        """What tells the account from others: a vault has its master's keys."""
        return named_address(self.keys) or self.keys.get(self.SPEC.credentials[0], "")

    def own_address(self) -> str:
        """The signing key's own address, where the key is here."""
        raise MissingCredentials("account_address is needed to read an account", venue=self._venue)

    @property
    def _venue(self) -> str:
        return self.SPEC.name

    def encode_role(self, address: str) -> Request:
        """Asks what an address is; see `check_role` and `owner_of`."""
        return self._info("userRole", _ROLE, user=address.lower())

    @checked
    def owner_of(self, told: Json, address: str) -> str:
        """Whose account an address trades for: an agent's owner, else itself."""
        return str(told["data"]["user"]) if told["role"] == "agent" else address

    def check_role(self, answer: Answer, address: str) -> None:
        """Refuses an address that has no account of its own: it would be read as an empty one.

        Raises: AuthError, ProtocolError; TransportError, RateLimited where there is no answer.
        """
        if answer.status == 429:
            raise RateLimited("userRole", venue=self._venue, code="429")
        if answer.status != 200:
            raise TransportError(f"userRole: HTTP {answer.status}", venue=self._venue)
        self.check_told_role(answer.json(), address)

    def check_told_role(self, told: Json, address: str) -> None:
        """The same, of an answer that is no failure. Raises: AuthError, ProtocolError."""
        role = told.get("role") if isinstance(told, dict) else None
        if not isinstance(role, str):
            raise ProtocolError("userRole without a role", venue=self._venue, raw=told)
        if role not in _NOT_ACCOUNTS:
            return
        short = f"{address[:6]}...{address[-4:]}"
        advice = f"{short} has no account; deposit first, or correct account_address"
        if role == "agent":
            advice = f"{short} is an agent; set account_address to {self.owner_of(told, address)}"
        raise AuthError(advice, venue=self._venue, raw=told, code=role)

    # ----------------------------------------------------------------- requests

    def _info(self, kind: str, weight: int = USUAL, **fields: Json) -> Request:
        """A read of public facts."""
        return Request("POST", INFO, json={"type": kind, **fields}, weight=weight)

    def _of_account(self, kind: str, weight: int = USUAL, **fields: Json) -> Request:
        """A read of the account; `signed` for whoever has to know the account first."""
        json = {"type": kind, "user": self.read_address, **fields}
        return Request("POST", INFO, json=json, weight=weight, signed=True)

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        return failure_of(status, answer, request, self._venue)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """A body of the wrong shape is refused in plain text."""
        return failure_of(status, text, request, self._venue)

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return reason_class(reason)

    # ----------------------------------------------------------------- markets

    def market_symbol(self, name: str, quote: str, kind: MarketKind) -> str:
        """Our symbol: "BTC", "xyz:TSLA"; spot "HYPE/USDC". A venue with a spelling of its own
        overrides this, and nothing else of the markets."""
        return name if kind == "perp" else f"{name}/{quote}"

    def wire_name(self, market: Market) -> str:
        name: str = market["raw"]["wire"]
        return name

    def encode_markets(self) -> list[Request]:
        """Perpetuals of the main dex, spot, and of the builders' dexs that are wanted."""
        asked = [self._info("meta", dex=""), self._info("spotMeta")]
        if self.dexs:
            asked.append(self._info("perpDexs"))
        return asked + [self._info("meta", dex=dex) for dex in self.dexs]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """Raises: ProtocolError for a dex that the venue does not have."""
        main, spot, *others = answers
        tokens = token_names(spot)

        def perp(name: str, quote: str) -> str:
            return self.market_symbol(name, quote, "perp")

        markets = decode_perps(main, perp, tokens)
        markets += decode_spots(spot, lambda base, quote: self.market_symbol(base, quote, "spot"))
        if not others:
            return markets
        listed, *metas = others
        places = {dex["name"]: place for place, dex in enumerate(listed) if dex is not None}
        for dex, meta in zip(self.dexs, metas, strict=True):
            place = places[dex]
            scale = listed[place].get("deployerFeeScale")
            fee_scale = None if scale is None else Decimal(scale)
            markets += decode_perps(
                meta, perp, tokens, dex=dex, position=place, fee_scale=fee_scale
            )
        return markets

    def encode_mark(self, market: Market) -> Request:
        if market["kind"] == "spot":
            return self._info("spotMetaAndAssetCtxs")
        return self._info("metaAndAssetCtxs", dex=market["raw"]["dex"])

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(_context(answer, market)["markPx"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """20 levels a side, whatever is asked for: the venue has no more."""
        return self._info("l2Book", LIGHT, coin=self.wire_name(market))

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        bids, asks = ([(level["px"], level["sz"]) for level in side] for side in answer["levels"])
        time_ms = int(answer["time"])
        return BookUpdate(market["symbol"], bids, asks, time_ms, time_ms, True, time_ms)

    def encode_server_time(self) -> Request:
        """The venue has no call for it; every state of an account has the block's time in it."""
        return self._info("clearinghouseState", LIGHT, user=_NOBODY)

    @checked
    def decode_server_time(self, answer: Json) -> int:
        return int(answer["time"])

    def encode_funding_rate(self, market: Market) -> tuple[Request, ...]:
        """The rate, and the time, since funding is paid at every full hour."""
        self._need_perp(market, "get_funding_rate")
        return (self.encode_mark(market), self.encode_server_time())

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        contexts, state = answer
        context = _context(contexts, market)
        now_ms = self.decode_server_time(state)
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(context["funding"]),
            interval_hours=Decimal(1),
            next_funding_ms=(now_ms // _HOUR_MS + 1) * _HOUR_MS,
            raw=context,
        )

    # ----------------------------------------------------------------- helpers

    def _dexs(self, market: Market | None) -> tuple[str, ...]:
        return ("", *self.dexs) if market is None else (market["raw"]["dex"],)

    def _need_perp(self, market: Market, call: str) -> None:
        if market["kind"] != "perp":
            raise Unsupported(f"{call}: {market['symbol']} is not a perpetual", venue=self._venue)


def _context(answer: Json, market: Market) -> Json:
    """Perpetuals' contexts stand in the order of the assets; spot ones name their market."""
    meta, contexts = answer
    wire = market["raw"]["wire"]
    if market["kind"] == "spot":
        return next(context for context in contexts if context["coin"] == wire)
    names = [entry["name"] for entry in meta["universe"]]
    return contexts[names.index(wire)]
