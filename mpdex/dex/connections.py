"""Connections: the venue's streams, shared where they can be, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mpdex.dex.queries import Queries
from mpdex.errors import Unsupported
from mpdex.types import Topic

if TYPE_CHECKING:
    from mpdex.utils.feeds import Feeds, Stream

# What the socket that takes orders serves; one that serves the first takes orders and nothing else.
_COMMANDS = (Topic("commands"), Topic("orders"))


class Connections(Queries):
    """Open while they are needed."""

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

    # ----------------------------------------------------------------- what there is

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

    @cached_property
    def _streams(self) -> Mapping[str, type[Any]]:
        """channel -> which client serves it."""
        return {channel: stream for stream in self.streams() for channel in stream.CHANNELS}

    @cached_property
    def _commands(self) -> Topic:
        own, usual = _COMMANDS
        return own if own.channel in self._streams else usual

    def _stream_class(self, channel: str) -> type[Any]:
        try:
            return self._streams[channel]
        except KeyError:
            raise Unsupported(f"no stream of {channel} here", venue=self.name) from None

    def _place_of(self, topic: Topic) -> tuple[type[Any], str]:
        """Which client serves a topic, and at which path of its endpoint."""
        kind = self._stream_class(topic.channel)
        return kind, kind.path_of(topic)

    # ----------------------------------------------------------------- what is open

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

    def _command_stream(self) -> Any:
        lease = self._leases.get(self._place_of(self._commands))
        return None if lease is None else lease.client

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
