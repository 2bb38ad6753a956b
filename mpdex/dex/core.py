"""The inside of an exchange object: keys, transports, streams, and how a command leaves.

The public methods are in the modules beside this one; `multi_perp_dex` puts them together.

Transports and feeds are imported and made when they are first used: an order is encoded and signed
without them, and they bring asyncio, which is most of what an import of this library costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Mapping
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from mpdex.errors import MissingCredentials, RateLimited, Unsupported, UsageError
from mpdex.types import BookUpdate, Fill, Json, Lane, Market, Order, Position, Request, Session
from mpdex.utils.client_ids import ClientIds
from mpdex.utils.clock import Clock, SystemClock, VenueClock
from mpdex.utils.markets import MarketList
from mpdex.utils.translation import Translation

if TYPE_CHECKING:
    import asyncio
    import random

    from mpdex.utils.feeds import Feeds, Stream
    from mpdex.utils.pool import Lease
    from mpdex.utils.rest import RestTransport
    from mpdex.utils.session import SessionKeeper
    from mpdex.utils.throttle import Throttle

# How far before a silence fills are read again: histories lag, and clocks differ.
_OVERLAP_MS = 60_000


class DexCore(Translation):
    """What every public method stands on."""

    def __init__(
        self,
        *,
        endpoints: Mapping[str, str] | None = None,
        proxy: str | None = None,
        clock: Clock | None = None,
        rng: random.Random | None = None,
        engine: str = "picows",
        read_only: bool = False,
        limit_share: float = 1.0,
        **keys: str,
    ) -> None:
        super().__init__()
        if not hasattr(type(self), "SPEC"):
            _check_own_methods(type(self), keys)
            return
        self.read_only = read_only
        self.keys = _checked_keys(self, keys)
        self.endpoints = {**self.SPEC.endpoints, **(endpoints or {})}
        self.clock: Clock = clock or SystemClock()
        self.venue_clock = VenueClock(self.clock)
        self.has_spot = "spot" in self.SPEC.supports
        self.client_ids = ClientIds(self.SPEC.client_id, self.clock)
        self._given_rng = rng
        self._proxy, self._engine = proxy, engine
        self._limit_share = _checked_share(limit_share)
        self._markets = MarketList(self.SPEC.name)
        self._detailed: set[str] = set()  # markets whose details were asked for
        self._leases: dict[type[Any], Lease[Any]] = {}
        self._orders_blocked = ""
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def init(self) -> Self:
        """Reads the venue's markets. Raises: TransportError, ProtocolError."""
        if hasattr(type(self), "SPEC"):
            await self.load_markets()
        return self

    async def load_markets(self) -> None:
        """Asks the venue for its markets, again if asked again."""
        answers = [await self._rest.send(request) for request in self.encode_markets()]
        self._markets.replace(self.decode_markets(answers))
        self._detailed.clear()
        self.available_symbols = self._markets.by_coin("perp")

    async def close(self) -> None:
        """Ends subscriptions, connections that nobody else uses, and the HTTP session."""
        self._closed = True
        await self.feeds.stop()
        leases, self._leases = self._leases, {}
        for lease in leases.values():
            await lease.release()
        await self._rest.close()

    async def warm(self) -> None:
        """Opens the connection that orders take, or keeps it from going idle.

        Raises: TransportError.
        """
        if self.SPEC.order_route == "ws":
            await self._stream_for("orders")
        else:
            await self._rest.warm()

    async def freshen(self) -> None:
        """Renews the login before its end; to be called now and then.

        Raises: what a login raises; the old one then still holds.
        """
        if self._session is not None:
            await self._session.freshen()

    @property
    def streams_end_at(self) -> float | None:
        """When the first of the account's streams ends by itself, in monotonic seconds.

        None: none does. It is made anew shortly before; `renew_streams` does it at a better time.
        """
        ends = [stream.ends_at for stream in self._account_streams()]
        return min((at for at in ends if at is not None), default=None)

    def renew_streams(self, reason: str) -> bool:
        """Makes the account's streams anew: lost and back, with a snapshot. False: none is open."""
        renewed = [stream.renew(reason) for stream in self._account_streams()]
        return any(renewed)

    def _account_streams(self) -> list[Any]:
        return [lease.client for kind, lease in self._leases.items() if kind.PRIVATE]

    def block_orders(self, reason: str) -> None:
        """From now on every command raises `Unsupported` with this reason; nothing is sent."""
        self._orders_blocked = reason

    @property
    def name(self) -> str:
        """As the factory spells it."""
        return self.SPEC.name

    @cached_property
    def account_id(self) -> str:
        """A name for this account at these endpoints that gives no key away."""
        key = self.keys.get(self.SPEC.account or self.SPEC.credentials[0], "")
        places = sorted(self.endpoints.values())
        return sha256("\n".join([self.name, key, *places]).encode()).hexdigest()[:12]

    @property
    def session_expires_ms(self) -> int | None:
        """When the login ends, by the clock; None: there is none, or it never does."""
        keeper = self.__dict__.get("_session")
        session = None if keeper is None else keeper.current
        return None if session is None else session.expires_ms

    @cached_property
    def ws_supported(self) -> dict[str, bool]:
        """method -> whether it uses the venue's socket."""
        channels = self._streams.keys()
        orders = "orders" in channels and self.SPEC.order_route == "ws"
        return {
            "get_mark_price": "mark" in channels,
            "get_position": "positions" in channels,
            "get_open_orders": "orders" in channels,
            "get_collateral": False,
            "get_orderbook": "book" in channels,
            "create_order": orders,
            "cancel_orders": orders,
            "update_leverage": False,
        }

    @property
    def rest_counts(self) -> Counter[tuple[str, str]]:
        """(method, path) -> requests sent so far."""
        return self._rest.counts

    # ----------------------------------------------------------------- made on first use

    @cached_property
    def feeds(self) -> Feeds:
        """What the streams say: books, the account, and who listens."""
        from mpdex.utils.feeds import Feeds

        return Feeds(
            self.SPEC.name,
            stream_for=self._stream_for,
            fetch_book=self._fetch_book if self.BOOK_SNAPSHOT == "rest" else None,
            fetch_account=self._fetch_account,
            clock=self.venue_clock,
        )

    @cached_property
    def _rest(self) -> RestTransport:
        from mpdex.utils.rest import RestTransport

        return RestTransport(
            self.SPEC,
            self.endpoints,
            clock=self.venue_clock,
            throttle=self._throttle,
            sign=self.sign,
            decode_error=self.decode_error,
            session=self._session,
            proxy=self._proxy,
            rng=self._rng,
        )

    @cached_property
    def _throttle(self) -> Throttle:
        from mpdex.utils.throttle import Throttle

        return Throttle(self.SPEC.limits, clock=self.clock, share=self._limit_share)

    @cached_property
    def _session(self) -> SessionKeeper | None:
        if self.read_only or self.encode_login() is None:
            return None
        from mpdex.utils.session import SessionKeeper

        return SessionKeeper(self._login, clock=self.venue_clock)

    @cached_property
    def _rng(self) -> random.Random:
        import random

        return self._given_rng or random.Random()

    @cached_property
    def _streams(self) -> Mapping[str, type[Any]]:
        """channel -> which client serves it."""
        return {channel: stream for stream in self.streams() for channel in stream.CHANNELS}

    # ----------------------------------------------------------------- commands

    def _command(self, request: Request) -> Awaitable[Json]:
        if self._orders_blocked:
            raise Unsupported(f"{request} not sent: {self._orders_blocked}", venue=self.name)
        self._need_keys(request)
        if request.call and self.SPEC.order_route == "ws" and not self._must_detour(request):
            return self._call(request)
        return self._rest.send(request)

    def _must_detour(self, request: Request) -> bool:
        """A cancel does not wait for a lost socket: repeating one is harmless on any route."""
        stream = self._command_stream() if request.lane is Lane.CANCEL else None
        return stream is not None and not stream.connected

    def _call(self, request: Request) -> Awaitable[Json]:
        stream = self._command_stream()
        if stream is None:
            return self._call_when_connected(request)
        if self._throttle.try_acquire(request.scope, request.weight, request.lane):
            return self._written(stream, request)
        return self._call_when_allowed(stream, request)

    async def _call_when_connected(self, request: Request) -> Json:
        stream = await self._stream_for("orders")
        return await self._call_when_allowed(stream, request)

    async def _call_when_allowed(self, stream: Any, request: Request) -> Json:
        await self._throttle.acquire(request.scope, request.weight, request.lane)
        return await self._written(stream, request)

    def _written(self, stream: Any, request: Request) -> asyncio.Future[Json]:
        answer: asyncio.Future[Json] = stream.call(request)
        answer.add_done_callback(lambda done: self._heed(request, done))
        return answer

    def _heed(self, request: Request, answer: asyncio.Future[Json]) -> None:
        error = None if answer.cancelled() else answer.exception()
        if isinstance(error, RateLimited):
            self._rest.penalize(request, error.retry_after)

    def _command_stream(self) -> Any:
        lease = self._leases.get(self._stream_class("orders"))
        return None if lease is None else lease.client

    async def _private(self, request: Request) -> Json:
        self._need_keys(request)
        return await self._rest.send(request)

    def _need_keys(self, request: Request) -> None:
        if self.read_only and request.signed:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=self.name)

    async def _login(self) -> Session:
        request = self.encode_login()
        assert request is not None
        try:
            answer = await self._rest.send_raw(request)
        finally:
            if self._closed:  # a shared connection outlives the object that opened it
                await self._rest.close()
        return self.decode_login(answer, self.venue_clock.now_ms())

    def _stream_class(self, channel: str) -> type[Any]:
        try:
            return self._streams[channel]
        except KeyError:
            raise Unsupported(f"no stream of {channel} here", venue=self.name) from None

    async def _stream_for(self, channel: str) -> Stream:
        kind = self._stream_class(channel)
        lease = self._leases.get(kind)
        if lease is None:
            from mpdex.utils.pool import pool_of_loop

            url = self.endpoints[kind.HOST]
            account = "" if self.read_only else self.keys[self.SPEC.credentials[0]]
            lease = await pool_of_loop().acquire(
                (kind, url, account), lambda: self._connect(kind, url)
            )
            if kind in self._leases:
                await lease.release()
                return self._leases[kind].client  # type: ignore[no-any-return]
            self._leases[kind] = lease
        return lease.client  # type: ignore[no-any-return]

    async def _connect(self, kind: type[Any], url: str) -> Any:
        from mpdex.utils.door import door_of_loop

        stream = kind(
            url=url,
            name=self.name,
            keys=self.keys,
            session=self._session if kind.PRIVATE else None,
            clock=self.clock,
            rng=self._rng,
            proxy=self._proxy,
            engine=self._engine,
            door=door_of_loop((self.name, self._proxy)),
        )
        await stream.connect()
        return stream

    async def _fetch_book(self, symbol: str) -> BookUpdate:
        market = self._markets[symbol]
        return self.decode_book(await self._rest.send(self.encode_book(market, 1000)), market)

    async def _fetch_account(
        self, since_ms: int | None
    ) -> tuple[list[Position], list[Order], list[Fill]]:
        positions = self.decode_positions(await self._private(self.encode_positions(None)))
        orders = self.decode_orders(await self._private(self.encode_open_orders(None)))
        if since_ms is None:
            return positions, orders, []
        return positions, orders, await self._fills_since(None, since_ms - self._unheard_ms())

    def _unheard_ms(self) -> int:
        """How long before a drop was noticed the stream may have said nothing any more."""
        silence = max((stream.RECV_TIMEOUT or 0.0 for stream in self.streams()), default=0.0)
        return _OVERLAP_MS + int(silence * 1000)

    async def _fills_since(self, market: Market | None, since_ms: int) -> list[Fill]:
        found: dict[tuple[str, str], Fill] = {}
        cursor: str | None = None
        while True:
            answer = await self._private(self.encode_fills(market, since_ms, cursor))
            page = self.decode_fills(answer, cursor)
            found.update(((fill["id"], fill["order_id"]), fill) for fill in page.fills)
            cursor = page.cursor
            if cursor is None:
                fills = [fill for fill in found.values() if fill["timestamp_ms"] >= since_ms]
                return sorted(fills, key=lambda fill: fill["timestamp_ms"])


def _checked_share(share: float) -> float:
    """Part of the venue's limits that is ours, where another program uses the same key."""
    if not 0 < share <= 1:
        raise UsageError(f"limit_share {share}: give a part of the limits, above 0 and up to 1")
    return share


def _checked_keys(dex: DexCore, keys: Mapping[str, str]) -> Mapping[str, str]:
    spec = dex.SPEC
    unknown = sorted(set(keys) - {*spec.credentials, *spec.optional_credentials})
    if unknown:
        raise UsageError(f"unknown key {', '.join(unknown)}", venue=spec.name)
    missing = [name for name in spec.credentials if not keys.get(name)]
    if missing and not dex.read_only:
        template = f"keys/copy.pk_{spec.name.replace('.', '_')}.py"
        raise MissingCredentials(
            f"{', '.join(missing)} missing; {template} shows what is needed", venue=spec.name
        )
    return dict(keys)


def _check_own_methods(kind: type[DexCore], keys: Mapping[str, str]) -> None:
    """A class without a SPEC brings every abstract method itself, as the guide shows."""
    if keys:
        raise TypeError(f"{kind.__name__}() got unexpected arguments: {', '.join(sorted(keys))}")
    abstract = {name for base in kind.__mro__ for name in getattr(base, "__abstractmethods__", ())}
    inherited = sorted(
        name
        for name in abstract - {"close_position"}
        if getattr(kind, name).__module__.startswith(__package__ or "mpdex.dex")
    )
    if inherited:
        raise TypeError(f"{kind.__name__} has neither a SPEC nor its own {', '.join(inherited)}")
