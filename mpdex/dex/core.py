"""The inside of an exchange object: keys, transports, streams, and how a command leaves.

The public methods are in the modules beside this one; `multi_perp_dex` puts them together.

Transports and feeds are imported and made when they are first used: an order is encoded and signed
without them, and they bring asyncio, which is most of what an import of this library costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

from mpdex.errors import (
    MissingCredentials,
    MpdexError,
    NonceRefused,
    OrderNotFound,
    OutcomeUnknown,
    ProtocolError,
    RateLimited,
    TransportError,
    Unsupported,
    UsageError,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Challenge,
    Fill,
    Json,
    Lane,
    Limit,
    Market,
    Order,
    Position,
    Reads,
    Request,
    Session,
    Topic,
    WalletProof,
)
from mpdex.utils.client_ids import ClientIds
from mpdex.utils.clock import Clock, SystemClock, VenueClock
from mpdex.utils.markets import MarketList
from mpdex.utils.translation import Translation

if TYPE_CHECKING:
    import asyncio
    import random

    from mpdex.utils.feeds import Feeds, Stream
    from mpdex.utils.nonces import Nonces
    from mpdex.utils.pool import Lease
    from mpdex.utils.session import SessionKeeper
    from mpdex.utils.session_store import SessionStore
    from mpdex.utils.throttle import Throttle
    from mpdex.utils.transport import Transport

# How far before a silence fills are read again: histories lag, and clocks differ.
_OVERLAP_MS = 60_000
# Of how many orders the nonce is remembered, for a fence.
_REMEMBERED = 1000
# How often a command without effect gets another number.
_AGAIN = 3
# What the socket that takes orders serves; one that serves the first takes orders and nothing else.
_COMMANDS = (Topic("commands"), Topic("orders"))


class _NotNumbered(NonceRefused):
    """Nothing was sent: while it waited its turn, the next number came into doubt."""


class DexCore(Translation):
    """What every public method stands on."""

    _answered_at: float | None = None  # the last command, in the clock's monotonic seconds

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
        exclusive: bool = False,
        **keys: str,
    ) -> None:
        super().__init__()
        if not hasattr(type(self), "SPEC"):
            _check_own_methods(type(self), keys)
            return
        self.read_only = read_only
        self.exclusive = exclusive
        self.keys = _checked_keys(self, keys)
        self.endpoints = {**self.SPEC.endpoints, **(endpoints or {})}
        self.clock: Clock = clock or SystemClock()
        self.venue_clock = VenueClock(self.clock)
        self.has_spot = "spot" in self.SPEC.supports
        self.client_ids = ClientIds(self.SPEC.client_id, self.clock)
        self._given_rng = rng
        self._proxy, self._engine = proxy, engine
        self._limit_share = _checked_share(limit_share)
        no_spot = "" if self.has_spot else self.SPEC.no_spot or "not offered here"
        self._markets = MarketList(self.SPEC.name, self.wire_name, no_spot)
        self._sent_nonces: dict[str, int] = {}  # by client order id
        self._detailed: set[str] = set()  # markets whose details were asked for
        self._book_sizes: dict[str, Decimal] = {}  # what a book is asked for, by symbol
        self._leases: dict[tuple[type[Any], str], Lease[Any]] = {}  # by client and path
        self._orders_blocked = ""
        self._closed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    async def init(self) -> Self:
        """Reads the venue's markets. Raises: TransportError, ProtocolError."""
        if hasattr(type(self), "SPEC"):
            await self._find_account()
            await self.load_markets()
        return self

    async def _find_account(self) -> None:
        request = None if self.read_only else self.encode_account()
        if request is not None:
            name = self.decode_account(await self._rest.send(request))
            self.keys = {**self.keys, self.SPEC.account: name}

    async def load_markets(self) -> None:
        """Asks the venue for its markets, again if asked again."""
        answers = [await self._rest.send(request) for request in self.encode_markets()]
        self._markets.replace(self.decode_markets(answers))
        self._detailed.clear()
        self.available_symbols = self._markets.by_coin("perp")

    async def close(self) -> None:
        """Ends subscriptions, connections that nobody else uses, and the HTTP session."""
        self._closed = True
        nonces = self.__dict__.get("_nonces")
        if nonces is not None:
            nonces.doubt()  # whoever goes on with this key asks where the count is
        await self.feeds.stop()
        leases, self._leases = self._leases, {}
        for lease in leases.values():
            await lease.release()
        await self._rest.close()

    async def warm(self) -> None:
        """Opens the connections that orders take, or keeps them from going idle.

        Raises: TransportError.
        """
        signer, by_socket = self.SPEC.countersigner, self.SPEC.order_route == "ws"
        if by_socket:
            await self._stream_for(self._commands)
        if signer or not by_socket:
            await self._rest.warm(signer if by_socket else "")

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
        return [lease.client for (kind, _), lease in self._leases.items() if kind.PRIVATE]

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
        places = sorted(self.endpoints.values())
        return sha256("\n".join([self.name, self.account_key, *places]).encode()).hexdigest()[:12]

    @property
    def account_key(self) -> str:
        """What tells the account from others, of the keys; it may be a secret."""
        named = self.SPEC.account or next(iter(self.SPEC.credentials), "")
        return self.keys.get(named, "")

    @property
    def limits(self) -> Mapping[str, Limit]:
        """What the venue grants this account, where that is not what it grants to all."""
        return self.SPEC.limits

    @property
    def session_expires_ms(self) -> int | None:
        """When the login ends, by the clock; None: there is none, or it never does."""
        keeper = self.__dict__.get("_session")
        session = None if keeper is None else keeper.current
        return None if session is None else session.expires_ms

    @property
    def stream_channels(self) -> frozenset[str]:
        """What the venue streams: of "book", "bbo", "mark", "orders", "fills", "positions"."""
        return frozenset(self._streams) - {"commands"}

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
            indicative=self.SPEC.indicative_books,
        )

    @cached_property
    def _rest(self) -> Transport:
        return self._transport_class()(
            self.SPEC,
            self.endpoints,
            clock=self.venue_clock,
            throttle=self._throttle,
            sign=self._prove,
            decode_error=self._failure,
            decode_page=self.decode_page,
            decode_headers=self.decode_headers,
            session=self._session,
            proxy=self._proxy,
            rng=self._rng,
        )

    def _transport_class(self) -> type[Transport]:
        if self.SPEC.impersonates:
            from mpdex.utils.curl_transport import CurlTransport

            return CurlTransport
        from mpdex.utils.rest import RestTransport

        return RestTransport

    @cached_property
    def _throttle(self) -> Throttle:
        from mpdex.utils.throttle import Throttle

        return Throttle(self.limits, clock=self.clock, share=self._limit_share)

    @cached_property
    def _session(self) -> SessionKeeper | None:
        if self.read_only or (self.encode_login() or self._own_session()) is None:
            return None
        from mpdex.utils.session import SessionKeeper

        return SessionKeeper(self._login, clock=self.venue_clock)

    @cached_property
    def _nonces(self) -> Nonces | None:
        return None if self.read_only else self.make_nonces()

    @cached_property
    def _rng(self) -> random.Random:
        import random

        return self._given_rng or random.Random()

    @cached_property
    def _streams(self) -> Mapping[str, type[Any]]:
        """channel -> which client serves it."""
        return {channel: stream for stream in self.streams() for channel in stream.CHANNELS}

    @cached_property
    def _commands(self) -> Topic:
        own, usual = _COMMANDS
        return own if own.channel in self._streams else usual

    # ----------------------------------------------------------------- commands

    def _command(self, request: Request) -> Awaitable[Json]:
        if self._orders_blocked:
            raise Unsupported(f"{request} not sent: {self._orders_blocked}", venue=self.name)
        self._need_keys(request)
        if self._nonces is not None:
            return self._numbered(request)
        if self.SPEC.countersigner:
            return self._countersigned(request)
        return self._route(request)

    def _route(self, request: Request) -> Awaitable[Json]:
        if request.call and self.SPEC.order_route == "ws" and not self._must_detour():
            return self._call(request)
        return self._rest.send(request)

    def _must_detour(self) -> bool:
        """While the socket is known to be lost nothing was written there, so nothing is repeated
        by going another way; once something was written, no other way is tried. Where orders have
        a socket of their own, it is as good as lost as soon as another one of the account is.
        """
        if self._command_stream() is None:
            return False
        return not all(stream.connected for stream in self._account_streams())

    async def _countersigned(self, request: Request) -> Json:
        """Asks for what the command lacks, then sends it on.

        It waits for the limit before it asks, since what is given grows old. It asks once, as a
        command is sent once: whoever decided on it decides again.
        """
        await self._throttle.acquire(request.scope, request.weight, request.lane)
        asked_ms = self.venue_clock.now_ms()
        hop = self.encode_countersign(request, asked_ms)
        signed = request if hop is None else await self._signed_elsewhere(request, hop)
        bound_ms = self.SPEC.countersign_bound_ms or self.SPEC.request_bound_ms
        spent_ms = self.venue_clock.now_ms() - asked_ms
        if bound_ms is not None and spent_ms >= bound_ms:
            late = f"countersigned after {spent_ms} ms, too late to be sent"
            raise TransportError(late, venue=self.name, request=str(request))
        return await self._route(replace(signed, weight=0))

    async def _signed_elsewhere(self, request: Request, hop: Request) -> Request:
        """Whatever goes wrong here, the venue has not heard of the command."""
        try:
            answer = await self._rest.send(replace(hop, command=True))
            return self.decode_countersign(answer, request)
        except (OutcomeUnknown, ProtocolError) as error:
            raise TransportError(
                f"not countersigned, so not sent: {error.detail}",
                venue=self.name,
                raw=error.raw,
                request=str(hop),
            ) from error

    # ----------------------------------------------------------------- proof, verdict, nonces

    def _prove(self, request: Request, now_ms: int) -> Request:
        """The last thing before a request leaves: its nonce, where there is one, and its proof."""
        if request.command and request.nonce is None and self._nonces is not None:
            nonce = self._nonces.take(now_ms)
            if nonce is None:
                raise _NotNumbered("the next nonce is not known now", venue=self.name)
            request = replace(request, nonce=nonce)
            if request.client_id:
                self._remember(request.client_id, nonce)
            try:
                return self.sign(request, now_ms)
            except MpdexError:
                self._nonces.spare(nonce)  # what is not signed is not sent
                raise
        return self.sign(request, now_ms)

    def _remember(self, client_id: str, nonce: int) -> None:
        self._sent_nonces[client_id] = nonce
        if len(self._sent_nonces) > _REMEMBERED:
            del self._sent_nonces[next(iter(self._sent_nonces))]

    def _failure(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        error = self.decode_error(status, answer, request)
        if request.command:
            self._answered_at = self.clock.monotonic()
        if error is None or self._nonces is None or request.nonce is None:
            return error
        if isinstance(error, NonceRefused):
            self._nonces.doubt()
        elif self.spares_nonce(error):
            self._nonces.spare(request.nonce)
        return error

    async def _caught_up(self) -> None:
        """Waits until what the last answered command did shows, where that takes time."""
        if self._answered_at is None or not self.SPEC.reads_lag_ms:
            return
        left = self._answered_at + self.SPEC.reads_lag_ms / 1000 - self.clock.monotonic()
        if left > 0:
            import asyncio

            await asyncio.sleep(left)

    def _numbered(self, request: Request) -> Awaitable[Json]:
        """A command that takes a nonce: at once, unless the venue has to be asked for it."""
        assert self._nonces is not None
        if self._nonces.ready:
            return self._watched(self._route(request), request)
        return self._numbered_later(request)

    async def _numbered_later(self, request: Request, again: int = _AGAIN) -> Json:
        assert self._nonces is not None
        if not self._nonces.ready:
            self._nonces.start(await self._next_nonce())
        return await self._watched(self._route(request), request, again)

    async def _watched(
        self, answer: Awaitable[Json], request: Request, again: int = _AGAIN
    ) -> Json:
        """Without a verdict nobody knows which number is next.

        What was not sent for want of a number gets one, and so does a cancel whose number was
        refused; an order that was refused is for whoever decided on it.
        """
        assert self._nonces is not None
        try:
            return await answer
        except (OutcomeUnknown, TransportError):
            self._nonces.doubt()
            raise
        except NonceRefused as error:
            numbered_here = request.nonce is None and request.lane is Lane.CANCEL
            if not again or not (numbered_here or isinstance(error, _NotNumbered)):
                raise
        return await self._numbered_later(request, again - 1)

    async def _next_nonce(self) -> int:
        request = self.encode_next_nonce()
        assert request is not None, "an allocator that asks has something to ask"
        return self.decode_next_nonce(await self._private(request))

    # ----------------------------------------------------------------- calls over the socket

    def _call(self, request: Request) -> Awaitable[Json]:
        stream = self._command_stream()
        if stream is None:
            return self._call_when_connected(request)
        if self._throttle.try_acquire(request.scope, request.weight, request.lane):
            return self._written(stream, request)
        return self._call_when_allowed(stream, request)

    async def _call_when_connected(self, request: Request) -> Json:
        stream = await self._stream_for(self._commands)
        return await self._call_when_allowed(stream, request)

    async def _call_when_allowed(self, stream: Any, request: Request) -> Json:
        await self._throttle.acquire(request.scope, request.weight, request.lane)
        return await self._written(stream, request)

    def _written(self, stream: Any, request: Request) -> Awaitable[Json]:
        if request.signed:
            request = self._prove(sealed(request), self.venue_clock.now_ms())
        return self._judged(stream.call(request), request)

    async def _judged(self, answer: asyncio.Future[Json], request: Request) -> Json:
        """What a call over the socket came to, by the same verdicts as over REST."""
        try:
            body = await answer
            failure = self._failure(200, body, request)
        except RateLimited as error:
            failure = error
        if isinstance(failure, RateLimited):
            self._rest.penalize(request, failure.retry_after)
        if failure is not None:
            raise failure
        return body

    def _command_stream(self) -> Any:
        lease = self._leases.get(self._place_of(self._commands))
        return None if lease is None else lease.client

    async def _private(self, reads: Reads) -> Json:
        for request in reads if isinstance(reads, tuple) else (reads,):
            self._need_keys(request)
        return await self._ask(reads)

    async def _ask(self, reads: Reads) -> Json:
        """The answer, or the list of answers where there are several requests."""
        if isinstance(reads, tuple):
            return [await self._rest.send(request) for request in reads]
        return await self._rest.send(reads)

    def _need_keys(self, request: Request) -> None:
        if self.read_only and request.signed:
            raise MissingCredentials(f"{request} needs keys; opened read-only", venue=self.name)

    async def sign_in(self, prove: Callable[[Challenge], Awaitable[WalletProof]]) -> str:
        """Logs in with a signature made elsewhere, in a wallet; the session is kept.

        Returns: where; "" for a simulated venue.
        Raises: Unsupported where the venue has no such login; AuthError; what `prove` raises.
        """
        challenge = self.decode_challenge(await self._rest.send_raw(self.encode_challenge()))
        await self._logged_in(self.encode_proof(challenge, await prove(challenge)))
        return "" if self._kept is None else str(self._kept.path(self.account_id))

    async def _login(self) -> Session:
        try:
            known = self._own_session() or await self._kept_session()
            return known or await self._logged_in(self.encode_login())
        finally:
            if self._closed:  # a shared connection outlives the object that opened it
                await self._rest.close()

    def _own_session(self) -> Session | None:
        return self.make_session(self.venue_clock.now_ms())

    async def _logged_in(self, step: Request | Session | None) -> Session:
        while isinstance(step, Request):
            answer = await self._rest.send_raw(step)
            step = self.continue_login(answer, step, self.venue_clock.now_ms())
        assert step is not None, "only a venue with a login has sessions"
        if self._kept is not None:
            self._kept.save(self.account_id, step)
        return step

    async def _kept_session(self) -> Session | None:
        """That of an earlier login, if the venue says that it still holds."""
        session = None if self._kept is None else self._kept.load(self.account_id)
        if session is None:
            return None
        answer = await self._rest.send_raw(self.encode_session_check(session))
        return session if self.decode_session_check(answer) else None

    @cached_property
    def _kept(self) -> SessionStore | None:
        """None, too, where an endpoint is not encrypted: it is a simulated one."""
        shown_to = self.SPEC.session_hosts or self.endpoints
        encrypted = all(self.endpoints[host].startswith(("https:", "wss:")) for host in shown_to)
        if not (self.SPEC.keeps_session and encrypted):
            return None
        from mpdex.utils.session_store import SessionStore

        return SessionStore(self.SPEC.name)

    def _session_at(self, host: str) -> SessionKeeper | None:
        """None where an endpoint is not the business of whoever gave the session."""
        hosts = self.SPEC.session_hosts
        return self._session if not hosts or host in hosts else None

    def _stream_class(self, channel: str) -> type[Any]:
        try:
            return self._streams[channel]
        except KeyError:
            raise Unsupported(f"no stream of {channel} here", venue=self.name) from None

    def _place_of(self, topic: Topic) -> tuple[type[Any], str]:
        """Which client serves a topic, and at which path of its endpoint."""
        kind = self._stream_class(topic.channel)
        return kind, kind.path_of(topic)

    async def _stream_for(self, topic: Topic) -> Stream:
        poller = self.poller() if topic.channel == "book" else None
        if poller is not None:
            return await self._polled(poller)
        kind, path = place = self._place_of(topic)
        lease = self._leases.get(place)
        if lease is None:
            from mpdex.utils.pool import pool_of_loop

            url = self.endpoints[kind.HOST] + path
            account = self.account_id if self.keys else ""
            lease = await pool_of_loop().acquire(
                (kind, url, account, self.read_only), lambda: self._connect(kind, url)
            )
            if place in self._leases:
                await lease.release()
                return self._leases[place].client  # type: ignore[no-any-return]
            self._leases[place] = lease
            if topic.channel == "commands":
                self.feeds.overhear(lease.client)
        return lease.client  # type: ignore[no-any-return]

    async def _polled(self, kind: type[Any]) -> Stream:
        """Whoever reads the books of this object; nobody shares it, as it asks in our name."""
        lease = self._leases.get((kind, ""))
        if lease is None:
            from mpdex.utils.pool import Lease

            poller = kind(self._fetch_book, name=self.name, clock=self.clock, rng=self._rng)
            await poller.connect()
            lease = self._leases[kind, ""] = Lease(poller, poller.close)
        return lease.client  # type: ignore[no-any-return]

    async def _connect(self, kind: type[Any], url: str) -> Any:
        from mpdex.utils.door import door_of_loop

        stream = kind(
            url=url,
            name=self.name,
            keys=self.keys,
            markets=self._markets,
            session=self._session_at(kind.HOST) if kind.PRIVATE else None,
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
        orders = await self._open_orders(None)
        if since_ms is None:
            return positions, orders, []
        return positions, orders, await self._fills_since(None, since_ms - self._unheard_ms())

    async def _open_orders(self, market: Market | None) -> list[Order]:
        """What the venue lists, as far as it is right."""
        await self._caught_up()
        asks: Reads | None = self.encode_open_orders(market)
        listed: list[Order] = []
        while asks is not None:
            answer = await self._private(asks)
            listed += self.decode_orders(answer)
            asks = self.encode_orders_after(answer, market)
        if not self.SPEC.lists_ended:
            return listed
        now = [await self._as_it_is(order) for order in listed]
        return [order for order in now if not order["status"].terminal]

    async def _as_it_is(self, listed: Order) -> Order:
        query = CancelRequest(symbol=listed["symbol"], order_id=listed["id"])
        return await self._find_order(query, self._markets[listed["symbol"]]) or listed

    async def _find_order(self, query: CancelRequest, market: Market) -> Order | None:
        """None: the venue has no such order now, in any place."""
        for request in self.encode_order_queries(query, market):
            try:
                order = self.decode_order_query(await self._private(request), query)
            except OrderNotFound:
                continue
            if order is not None:
                return order
        return None

    def _unheard_ms(self) -> int:
        """How long before a drop was noticed the stream may have said nothing any more."""
        silence = max((stream.patience() or 0.0 for stream in self.streams()), default=0.0)
        return _OVERLAP_MS + int(silence * 1000)

    async def _fills_since(self, market: Market | None, since_ms: int) -> list[Fill]:
        found: dict[tuple[str, str], Fill] = {}
        cursor: str | None = None
        while True:
            answer = await self._private(self.encode_fills(market, since_ms, cursor))
            page = self.decode_fills(answer, cursor)
            found.update(((fill["id"], fill["order_id"]), fill) for fill in page.fills)
            cursor = page.cursor
            if page.backwards and any(fill["timestamp_ms"] < since_ms for fill in page.fills):
                cursor = None
            if cursor is None:
                fills = [fill for fill in found.values() if fill["timestamp_ms"] >= since_ms]
                return sorted(fills, key=lambda fill: fill["timestamp_ms"])


def sealed(request: Request) -> Request:
    """With the bytes that are signed and sent, made once."""
    if request.body or request.json is None:
        return request
    import msgspec

    return replace(request, body=msgspec.json.encode(request.json))


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
