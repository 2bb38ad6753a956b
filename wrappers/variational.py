"""Variational (Omni): perpetuals of one account, by the calls of its web page.

There is no book and nothing to make: a quote is asked for and accepted, against one counterparty.
So it is the taker of a hedge and nothing else. What is called a book is the quote for one size, a
level a side. Fragile: nothing of the page is documented, it may change any day, and it is behind a
wall that lets browsers through alone; requests imitate one. What is relied on is looked at when the
exchange is opened.

A market order is two requests, a quote and its acceptance; until the second the venue has heard of
nothing. The answer is no fill: what became of an order, the list of orders tells. Orders have no
client ids; an order whose answer was lost is looked for by what it was.

Sources: those of `wrappers.variational_wire` and `wrappers.variational_auth`; NA-DEGEN-GIRL/
multi-perp-dex 0a105d0, `variational.py`; shancheng884/Repository-name-variational-v1 f1659c9;
read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Self

from mpdex.dex.unnamed import UnnamedOrderMethods
from mpdex.errors import (
    MpdexError,
    NoImmediateMatch,
    OrderNotFound,
    ProtocolError,
    RateLimited,
    SessionEnded,
    Unsupported,
    VenueError,
)
from mpdex.types import (
    BookUpdate,
    CancelRequest,
    Challenge,
    ClientIdForm,
    Collateral,
    Fees,
    FundingRate,
    Json,
    Lane,
    LeverageInfo,
    Limit,
    Market,
    Order,
    OrderRequest,
    Position,
    Request,
    Session,
    VenueSpec,
    WalletProof,
)
from mpdex.utils.precision import plain
from mpdex.utils.translation import FillPage, acknowledged
from mpdex.utils.translation import checked as _checked
from mpdex.utils.unnamed_orders import AFTER_MS
from multi_perp_dex import MultiPerpDex, MultiPerpDexMixin
from wrappers.variational_auth import (
    GONE,
    ORIGIN,
    VENUE,
    VariationalAuth,
    challenge_of,
    challenged,
    check_wall,
    holds,
    is_page,
    walled,
)
from wrappers.variational_calls import (
    HOME,
    QuotedOrder,
    asked,
    command,
    limit_order,
    listed,
    market_order,
    metadata,
    read,
    simple_quote,
)
from wrappers.variational_wire import (
    ALL_STATUSES,
    BANNED,
    CANCEL,
    ERRORS,
    QUOTE,
    YEAR_SECONDS,
    completed,
    decode_fill,
    decode_market,
    decode_order,
    decode_position,
    error_of,
    flat,
    instrument_key,
    instrument_of,
    is_fill,
    iso_text,
    next_offset,
    reason_of,
    round_size,
    rows_of,
    time_ms,
)

if TYPE_CHECKING:
    from mpdex.utils.transport import Answer
    from wrappers.book_poller import BookPoller

checked = _checked(VENUE)

_CONFIG, _ORDERS = "/metadata/config", "/orders/v2"
_PENDING: Final = {"status": "pending"}
# Worth of what a quote is asked for, in USDC, where nobody has named a size: what the venue's own
# statistics quote at least.
_USUAL = Decimal(1000)
# How far from the mark an order may trade whose caller does not say: the page's own choice.
_SLIPPAGE_BPS: Final = Decimal(50)
# Statuses that say that a call is not there any more, or that it does not understand ours.
_GONE: Final = frozenset(map(str, GONE))
_NOT_UNDERSTOOD: Final = frozenset({"400", "415", "422"})
# What is left of a limit, in milliseconds until there is some again.
_RESETS: Final = "x-rate-limit-resets-in-ms"
_CHANGED: Final = (
    "the web page of Variational has changed, and this version does not understand it any more "
    "({}): do not trade here before there is a newer one"
)


class VariationalExchange(UnnamedOrderMethods, MultiPerpDexMixin, MultiPerpDex):
    """Variational, perpetuals on crypto and real-world assets.

    Args:
        options: those of `MultiPerpDexMixin`, and the keys: `wallet_address`, and one of
            `vr_token` (the cookie of a browser that is signed in) and `wallet_private_key`, unless
            `mpdex login variational` has been run.

    Raises: UsageError if the address is malformed.
    """

    SPEC = VenueSpec(
        name=VENUE,
        endpoints={"rest": f"{ORIGIN}/api"},
        credentials=("wallet_address",),
        optional_credentials=("vr_token", "wallet_private_key"),
        key_choices=(("vr_token",), ("wallet_private_key",)),
        account="wallet_address",
        supports=frozenset({"reduce_only", "market", "slippage_bps"}),
        # Nothing is published: the budgets of a client that runs live. A ban is longer than a wait.
        limits={
            "orders": Limit(6, 10.0),
            "reads": Limit(20, 10.0),
            "quotes": Limit(30, 10.0),
            "metadata": Limit(6, 60.0),
            "auth": Limit(6, 60.0),
        },
        errors=ERRORS,
        countersigner="rest",
        # Clients take a quote for dead after 0.9 to 2 s; the page accepts its newest, one a second.
        countersign_bound_ms=900,
        client_id=ClientIdForm(0, 2**128 - 1, "uuid"),
        request_bound_ms=None,  # how long a quote may be accepted, nobody says
        impersonates="chrome",
        indicative_books=True,
        fragile=True,
        reports_unfilled_ioc=False,
        canary="weak",
        keeps_session=True,
        silent_methods=frozenset({"POST"}),
    )

    @classmethod
    def poller(cls) -> type[BookPoller]:
        from wrappers.book_poller import BookPoller

        return BookPoller

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._auth = None if self.read_only else VariationalAuth(self.keys)

    @property
    def account_key(self) -> str:
        return self.keys.get("wallet_address", "").lower()

    async def init(self) -> Self:
        """Reads the markets, and looks at everything that is relied on later.

        Raises: ProtocolError, with one sentence, where the page has changed.
        """
        try:
            await super().init()
            await self._look_at_shapes()
        except ProtocolError as error:
            raise _changed(error) from error
        except VenueError as error:
            if not _is_a_change(error):
                raise
            raise _changed(error) from error
        return self

    async def _look_at_shapes(self) -> None:
        """One answer of each kind, read as it will be read later. Orders cannot be tried."""
        market = self._typical()
        if market is None:
            raise ProtocolError("no perpetual is listed", venue=VENUE)
        self.decode_market_details(await self._ask(self.encode_market_details(market)), market)
        if self.read_only:
            return
        sample = _sample(market)
        self.decode_countersign(await self._ask(sample.question), sample)
        self.decode_collateral(await self._ask(self.encode_collateral()))
        self.decode_positions(await self._ask(self.encode_positions(None)))
        self.decode_orders(await self._ask(listed(_ORDERS, None, {"status": ALL_STATUSES})))
        self.decode_fills(await self._ask(self.encode_fills(None, 0, None)), None)

    def _typical(self) -> Market | None:
        """One that is always open, where there is one."""
        symbols = self._markets.symbols("perp")
        if not symbols:
            return None
        return self._markets[HOME if HOME in symbols else symbols[0]]

    # ----------------------------------------------------------------- login

    def encode_login(self) -> Request | None:
        return None if self._auth is None else self._auth.begin()

    @checked
    def continue_login(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        """The cookie that was given, or text, signature, cookie."""
        return self._wallet().go_on(answer, request, now_ms)

    def encode_challenge(self) -> Request:
        return self._wallet().ask()

    def decode_challenge(self, answer: Answer) -> Challenge:
        auth = self._wallet()
        check_wall(answer.status, answer.headers, answer.body, auth.ask())
        return challenge_of(answer, auth.address)

    def encode_proof(self, challenge: Challenge, proof: WalletProof) -> Request:
        return self._wallet().prove(proof)

    def encode_session_check(self, session: Session) -> Request:
        return self._wallet().probe(session.headers)

    def decode_session_check(self, answer: Answer) -> bool:
        check_wall(answer.status, answer.headers, answer.body, self._wallet().probe({}))
        return holds(answer)

    def _wallet(self) -> VariationalAuth:
        if self._auth is None:
            self._refuse("a login without keys")
        return self._auth

    def sign(self, request: Request, now_ms: int) -> Request:
        """Nothing is signed; the wallet is named, and the cookie is the session's."""
        if self._auth is None:
            return request
        return replace(request, headers={**self._auth.headers, **request.headers})

    # ----------------------------------------------------------------- errors

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        return error_of(status, answer, request)

    def decode_headers(
        self, status: int, headers: Mapping[str, str], request: Request
    ) -> MpdexError | None:
        """The wall's word, and that of whoever looks at sessions."""
        if walled(status, headers):
            return challenged(request)
        left = headers.get(_RESETS, "")
        if status in BANNED and left.isdecimal():
            text, after = f"HTTP {status}: too many requests", int(left) / 1000  # seconds
            where = str(request)
            return RateLimited(
                text, retry_after=after, venue=VENUE, code=str(status), request=where
            )
        if status == 401 and headers.get("x-omni-auth") == "r":
            text = "the session is over"
            return SessionEnded(text, venue=VENUE, code="x-omni-auth", request=str(request))
        return None

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        """The wall's page, or a refusal in plain text."""
        if is_page(text):
            return challenged(request) if status == 403 else None
        known = reason_of(text) is not None or status in (401, *BANNED)
        return error_of(status, text, request) if known else None

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return reason_of(reason)

    # ----------------------------------------------------------------- markets

    def wire_name(self, market: Market) -> str:
        return instrument_key(market["raw"]["instrument"])

    def encode_markets(self) -> list[Request]:
        return [metadata("/metadata/supported_assets"), metadata(_CONFIG)]

    @checked
    def decode_markets(self, answers: Sequence[Json]) -> list[Market]:
        """The list grows without notice: kinds that are not known are left out, and what has no
        price."""
        assets, config = answers
        rows = [row for entries in assets.values() for row in entries if Decimal(row["price"])]
        known = [(row, found) for row in rows if (found := instrument_of(row)) is not None]
        return [decode_market(row, found, config) for row, found in known]

    def encode_market_details(self, market: Market) -> Request:
        return simple_quote(market, round_size(_price(market), _USUAL))

    @checked
    def decode_market_details(self, answer: Json, market: Market) -> Market:
        return completed(market, answer)

    def encode_mark(self, market: Market) -> Request:
        """Of a quote, since there it has all its digits."""
        return self.encode_market_details(market)

    @checked
    def decode_mark(self, answer: Json, market: Market) -> Decimal:
        return Decimal(answer["mark_price"])

    def encode_book(self, market: Market, depth: int) -> Request:
        """The quote for what `size_book` has named, else for about 1000 USDC."""
        size = self._book_sizes.get(market["symbol"])
        if size is None:
            size = round_size(_price(market), _USUAL)
        return simple_quote(market, max(size, market["min_size"]))

    @checked
    def decode_book(self, answer: Json, market: Market) -> BookUpdate:
        """One level a side, of the size that was asked for. UNVERIFIED: that a side may be null."""
        size = answer["qty"]
        bids, asks = ([(answer[s], size)] if answer[s] is not None else [] for s in ("bid", "ask"))
        at_ms = time_ms(answer["timestamp"])
        return BookUpdate(market["symbol"], bids, asks, 0, 0, True, at_ms)

    def encode_funding_rate(self, market: Market) -> Request:
        return metadata("/funding/v2", flat(market["raw"]["instrument"]))

    @checked
    def decode_funding_rate(self, answer: Json, market: Market) -> FundingRate:
        """It is told for a year, and predicted."""
        seconds = Decimal(answer["funding_interval_s"])
        return FundingRate(
            symbol=market["symbol"],
            rate=Decimal(answer["predicted_funding_rate"]) * seconds / YEAR_SECONDS,
            interval_hours=seconds / 3600,
            next_funding_ms=time_ms(answer["next_funding_time"]),
            raw=answer,
        )

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """A market order without its quote, or a limit order, which waits for the price.

        Raises: Unsupported for what neither can be.
        """
        if order.post_only:
            raise Unsupported("post_only is not offered here: nothing rests", venue=VENUE)
        bound = _SLIPPAGE_BPS if order.slippage_bps is None else order.slippage_bps
        build = market_order if order.price is None else limit_order
        return build(order, market, bound.scaleb(-4))

    def encode_countersign(self, request: Request, now_ms: int) -> Request | None:
        """The quote that a market order accepts."""
        return request.question if isinstance(request, QuotedOrder) else None

    @checked
    def decode_countersign(self, answer: Json, request: Request) -> Request:
        """With the quote; what it is away from the mark, it may not get worse any more.

        Raises: ProtocolError: something else was quoted; NoImmediateMatch: it is too far away.
        """
        assert isinstance(request, QuotedOrder), "only market orders accept a quote"
        quoted = (answer["instrument"]["underlying"], Decimal(answer["qty"]))
        if quoted != (request.instrument["underlying"], Decimal(request.qty)):
            raise ProtocolError("something else was quoted than was asked for", venue=VENUE)
        side, mark = request.json["side"], Decimal(answer["mark_price"])
        price = Decimal(answer["ask" if side == "buy" else "bid"])
        away = (price / mark - 1) * (1 if side == "buy" else -1)
        if away > request.slippage:
            raise NoImmediateMatch(
                f"quoted {plain(price)}, {away:.2%} from the mark of {plain(mark)}",
                venue=VENUE,
                code="mark",
                request=str(request),
            )
        return request.answered(answer["quote_id"], request.slippage - max(away, Decimal(0)))

    @checked
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """It is known by a name; whether it is cleared, is told later."""
        number = answer["rfq_id"]
        if not isinstance(number, str) or not number:
            raise ProtocolError("an order without its id", venue=VENUE, raw=answer)
        return acknowledged(order, answer, id=number)

    @checked
    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer, self._unnamed.client_id_of(answer["rfq_id"]), self._markets)

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """Raises: OrderNotFound for a client id whose order the venue has not named."""
        number = cancel.order_id or self._unnamed.order_id_of(cancel.client_id)
        if not number:
            raise OrderNotFound(f"no order {cancel.client_id}", venue=VENUE)
        return command(CANCEL, {"rfq_id": number}, market, Lane.CANCEL)

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: the answer is empty."""
        return None

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """One list for open and ended orders alike, of the time at which this one was sent."""
        window: dict[str, str] = {}
        since_ms = self._unnamed.since_ms(query.client_id) if query.client_id else None
        if since_ms is not None:
            window["created_at_gte"] = iso_text(since_ms)
            window["created_at_lte"] = iso_text(since_ms + 2 * AFTER_MS)
        elif not (query.order_id or self._unnamed.order_id_of(query.client_id)):
            return []  # neither of this run nor of an earlier one
        return [listed(_ORDERS, market, {"status": ALL_STATUSES, **window})]

    @checked
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """Raises: OutcomeUnknown where several orders could be it; ProtocolError where the list is
        longer than a page and does not have it."""
        number = query.order_id or self._unnamed.order_id_of(query.client_id)
        orders = [self.decode_order(row) for row in rows_of(answer)]
        found = next((order for order in orders if order["id"] == number), None)
        if found is not None:
            return found
        if next_offset(answer, 0) is not None:
            raise ProtocolError("the list of orders is longer than a page", venue=VENUE)
        return None if number else self._unnamed.find(query.client_id, query.symbol, orders)

    def encode_open_orders(self, market: Market | None) -> Request:
        return listed(_ORDERS, market, _PENDING)

    @checked
    def decode_orders(self, answer: Json) -> list[Order]:
        return [self.decode_order(row) for row in rows_of(answer)]

    @checked
    def encode_orders_after(self, answer: Json, market: Market | None) -> Request | None:
        """Raises: ProtocolError for a whole page that does not say where the next one begins."""
        following = next_offset(answer, 0)
        if following is None:
            return None
        if isinstance(answer, list):
            raise ProtocolError("more open orders than a page holds", venue=VENUE)
        return listed(_ORDERS, market, _PENDING, offset=following)

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Oldest first, so that what happens meanwhile moves no page."""
        since = {"created_at_gte": iso_text(since_ms)} if since_ms > 0 else {}
        return listed("/trades", market, since, offset=int(cursor or 0), order="asc")

    @checked
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        fills = [
            decode_fill(row, self._unnamed.client_id_of(row.get("source_rfq") or ""), self._markets)
            for row in rows_of(answer)
            if is_fill(row)
        ]
        following = next_offset(answer, int(cursor or 0))
        return FillPage(fills, None if following is None else str(following))

    # ----------------------------------------------------------------- account

    def encode_positions(self, market: Market | None) -> Request:
        return read("/positions", market=market)

    @checked
    def decode_positions(self, answer: Json) -> list[Position]:
        found = [decode_position(row, self._markets) for row in answer]
        return [position for position in found if position["size"]]

    def encode_collateral(self) -> Request:
        return read("/portfolio", {"compute_margin": "true"})

    @checked
    def decode_collateral(self, answer: Json) -> Collateral:
        """What is free is that of the account shared by all cross positions."""
        profit = Decimal(answer["upnl"])
        return Collateral(
            total=Decimal(answer["balance"]) + profit,
            available=Decimal(answer["sub_accounts"]["cross_available"]),
            unrealized_pnl=profit,
            currency=QUOTE,
            raw=answer,
        )

    def encode_leverage_info(self, market: Market) -> tuple[Request, ...]:
        asset = market["raw"]["instrument"]["underlying"]
        question = asked("/settlement_pools/leverage", {"assets": [asset]}, market)
        return question, self.encode_collateral()

    @checked
    def decode_leverage_info(self, answer: Json, market: Market) -> LeverageInfo:
        """Set for an asset; how much of it there may be, the smallest positions tell."""
        told, portfolio = answer
        [entry] = told.values()
        steps = sorted(entry["limits"], key=lambda step: Decimal(step["notional_lower_bound"]))
        apart = portfolio["sub_accounts"].get("isolated") or ()
        key = instrument_key(market["raw"]["instrument"])
        isolated = any(instrument_key(one["instrument"]) == key for one in apart)
        return LeverageInfo(
            symbol=market["symbol"],
            leverage=Decimal(entry["current"]),
            max_leverage=1 / Decimal(steps[0]["min_im"]) if steps else None,
            margin_mode="isolated" if isolated else "cross",
            position_mode="one-way",  # one position for an instrument
            raw=answer,
        )

    def encode_leverage(self, market: Market, leverage: Decimal, now_ns: int) -> Request:
        asset = market["raw"]["instrument"]["underlying"]
        body = {"asset": asset, "leverage": plain(leverage)}
        return asked("/settlement_pools/set_leverage", body, market, "orders")

    def encode_fees(self, market: Market) -> Request:
        return metadata(_CONFIG)

    @checked
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """The spread is what trading costs; nobody is a maker."""
        fee = Decimal(answer["futures_taker_fee"])
        return Fees(symbol=market["symbol"], maker=fee, taker=fee, assumed=False, raw=answer)


def _price(market: Market) -> Decimal:
    """About what a coin costs, as it was when the markets were read."""
    return Decimal(market["raw"]["price"])


def _sample(market: Market) -> QuotedOrder:
    """An order that is never sent."""
    size = max(round_size(_price(market), _USUAL), market["min_size"])
    order = OrderRequest(symbol=market["symbol"], side="buy", size=size)
    return market_order(order, market, Decimal(1))


def _is_a_change(error: VenueError) -> bool:
    """Of words that are known the venue means something else: margin, limits, a closed market."""
    not_understood = type(error) is VenueError and error.code in _NOT_UNDERSTOOD
    return not_understood or error.code in _GONE


def _changed(error: ProtocolError | VenueError) -> ProtocolError:
    """With the call, where it is known."""
    what = f"{error.request}: {error.detail}" if error.request else error.detail
    return ProtocolError(_CHANGED.format(what), venue=VENUE)


__all__ = ["VariationalExchange"]
