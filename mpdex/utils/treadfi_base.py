"""What every venue behind TreadFi shares: the login, the session's proof, and its parent orders.

A subclass brings the venue beneath (markets, prices, positions, balances) among its bases; what
goes to TreadFi is told from what goes there by the endpoint. Cookies are shown to TreadFi alone.

Sources: docs.tread.fi, "Interacting with the API"; the web page's own calls as public clients of
February 2026 make them; EIP-191; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar, Final

from mpdex.errors import (
    AuthError,
    BadOrder,
    MissingCredentials,
    MpdexError,
    OrderNotFound,
    ProtocolError,
    SessionEnded,
    TransportError,
    UsageError,
)
from mpdex.types import (
    CancelRequest,
    Challenge,
    ClientIdForm,
    Collateral,
    Fees,
    Json,
    Lane,
    Market,
    Order,
    OrderRequest,
    OrderStatus,
    Request,
    Session,
    TimeInForce,
    WalletProof,
)
from mpdex.utils.common_treadfi import (
    APP,
    AUTH,
    BALANCE,
    BROWSER,
    DAY,
    ENDED,
    METADATA,
    NONCE,
    ORDERS,
    ORIGIN,
    PAGE,
    SUMMARY,
    Route,
    SessionRoute,
    TokenRoute,
    amount,
    as_number,
    average_of,
    checked_here,
    classify_reason,
    created_ms,
    decode_fill,
    decode_order,
    failure_of,
    iso,
    listed,
    page_failure,
    read,
    rows_of,
    status_of,
    text_of,
)
from mpdex.utils.cookies import Cookie, find_cookies
from mpdex.utils.translation import FillPage, Translation, acknowledged
from mpdex.utils.unnamed_orders import UnnamedOrders

if TYPE_CHECKING:
    from mpdex.utils.rest import Answer

CREDENTIALS: Final = ("login_private_key", "login_address", "csrftoken", "sessionid")
KEY_CHOICES: Final = (("login_private_key",), ("csrftoken", "sessionid"))
CLIENT_ID: Final = ClientIdForm(0, 2**128 - 1, "uuid")
_CSRF, _SESSION = "csrftoken", "sessionid"
_HOPS: Final = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class LoginStep(Request):
    """A request of the login, with the cookies collected so far."""

    cookies: Mapping[str, Cookie] = field(default_factory=dict, repr=False)


class TreadfiBase(Translation):
    """Translations for one account that is linked at TreadFi.

    Attributes:
        NAMED: strategies that this page takes by their names.
        FEE: TreadFi's own, a fraction of notional, at its lowest tier.
        keys: `account_name`, and of `token`, `csrftoken` and `sessionid`, `login_private_key`,
            `login_address` those that the user has.
    """

    NAMED: ClassVar[frozenset[str]] = frozenset()
    FEE: ClassVar[Decimal]
    keys: Mapping[str, str]
    _unnamed: UnnamedOrders

    @property
    def route(self) -> Route:
        """The way in that the keys allow; a token goes first."""
        if self.keys.get("token"):
            return TokenRoute(self.account_name)
        return SessionRoute(self.account_name, self.number, self.NAMED)

    def number(self, value: Decimal) -> Json:
        """How the page writes a quantity or a price; another venue's page writes text."""
        return as_number(value)

    @property
    def account_name(self) -> str:
        """Raises: MissingCredentials."""
        name = self.keys.get("account_name")
        if not name:
            raise MissingCredentials("account_name is needed", venue=self.SPEC.name)
        return name

    # ----------------------------------------------------------------- login

    def encode_login(self) -> Request | None:
        """The cookies that the user gave are tried first; a new nonce only without them."""
        if self.keys.get("token"):
            return None
        given = {name: self.keys.get(name, "") for name in (_CSRF, _SESSION)}
        if all(given.values()):
            return _metadata({name: Cookie(value, None) for name, value in given.items()})
        return self.encode_challenge()

    def continue_login(self, answer: Answer, request: Request, now_ms: int) -> Request | Session:
        """Nonce, signature, cookies, proof of them.

        Raises: AuthError; MissingCredentials where a person has to sign; TransportError.
        """
        if request.path == NONCE:
            return self._signed(self.decode_challenge(answer))
        cookies = dict(request.cookies) if isinstance(request, LoginStep) else {}
        if request.path == METADATA:
            return self._proven(answer, cookies)
        told = answer.headers.get("Set-Cookie", "")
        cookies |= {
            name: cookie
            for name, cookie in find_cookies(told, now_ms).items()
            if name in (_CSRF, _SESSION)
        }
        if answer.status in _HOPS:
            return _hop(answer.headers.get("Location", ""), cookies, self.SPEC.name)
        self._check(answer, "login")
        if set(cookies) != {_CSRF, _SESSION}:
            raise AuthError("login without both cookies", venue=self.SPEC.name, code="cookies")
        return _metadata(cookies)

    def encode_challenge(self) -> Request:
        return LoginStep("GET", NONCE, host=APP, scope=APP, headers=BROWSER)

    def decode_challenge(self, answer: Answer) -> Challenge:
        nonce = self._check(answer, "nonce").get("nonce")
        if not isinstance(nonce, str) or not nonce:
            raise ProtocolError("no nonce to log in with", venue=self.SPEC.name)
        text = f"Sign in to Tread with nonce: {nonce}"
        return Challenge(text, nonce, self.keys.get("login_address", ""))

    def encode_proof(self, challenge: Challenge, proof: WalletProof) -> Request:
        body = {
            "address": proof.address.lower(),
            "signature": proof.signature,
            "nonce": challenge.nonce,
            "wallet_type": "evm",
        }
        return LoginStep("POST", AUTH, json=body, host=APP, scope=APP, headers=BROWSER)

    def encode_session_check(self, session: Session) -> Request:
        headers = {**BROWSER, **session.headers}
        return LoginStep("GET", METADATA, host=APP, scope=APP, headers=headers)

    def decode_session_check(self, answer: Answer) -> bool:
        if 300 <= answer.status < 400 or answer.status in (401, 403):
            return False
        return self._check(answer, "session").get("is_authenticated") is True

    def _signed(self, challenge: Challenge) -> Request:
        secret = self.keys.get("login_private_key")
        if not secret:
            name = self.SPEC.name
            raise MissingCredentials(
                f"nobody is logged in: run mpdex login {name}, or give login_private_key",
                venue=name,
            )
        proof = sign_text(secret, challenge.text)
        wanted = challenge.address
        if wanted and wanted.lower() != proof.address.lower():
            raise UsageError(
                f"login_private_key is that of {proof.address}, not of login_address",
                venue=self.SPEC.name,
            )
        return self.encode_proof(challenge, proof)

    def _proven(self, answer: Answer, cookies: Mapping[str, Cookie]) -> Request | Session:
        if self.decode_session_check(answer):
            return session_of(cookies)
        mine = self.keys.get(_SESSION)
        if mine and cookies[_SESSION].value == mine and self.keys.get("login_private_key"):
            return self.encode_challenge()  # those of the user are over
        raise SessionEnded("the session is over", venue=self.SPEC.name, code="is_authenticated")

    def _check(self, answer: Answer, what: str) -> dict[str, Json]:
        """The object in an answer. Raises: AuthError, TransportError."""
        name = self.SPEC.name
        if answer.status == 429 or answer.status >= 500:
            raise TransportError(f"{what}: HTTP {answer.status}", venue=name)
        if answer.status != 200:
            raise AuthError(_words(answer), venue=name, code=str(answer.status), request=what)
        body = answer.json()
        return body if isinstance(body, dict) else {}

    # ----------------------------------------------------------------- proof and errors

    def sign(self, request: Request, now_ms: int) -> Request:
        """What a browser would send along; its forgery token where something may change."""
        if request.host != APP:
            return super().sign(request, now_ms)
        headers = {**BROWSER, **request.headers}
        token = self.keys.get("token")
        if token:
            headers["Authorization"] = f"Token {token}"
        elif request.method != "GET" or request.path == BALANCE:
            csrf = find_cookie(headers.get("Cookie", ""), _CSRF)
            headers |= {"X-CSRFToken": csrf} if csrf else {}
        return replace(request, headers=headers)

    def decode_error(self, status: int, answer: Json, request: Request) -> MpdexError | None:
        if request.host != APP:
            return super().decode_error(status, answer, request)
        renews = not self.keys.get("token")
        return failure_of(status, answer, request, self.SPEC.name, renews=renews)

    def decode_page(self, status: int, text: str, request: Request) -> MpdexError | None:
        if request.host != APP:
            return super().decode_page(status, text, request)
        return page_failure(status, text, request, self.SPEC.name)

    def decode_reason(self, reason: str) -> type[Exception] | None:
        return classify_reason(reason)

    # ----------------------------------------------------------------- orders

    def encode_order(self, order: OrderRequest, market: Market, now_ns: int) -> Request:
        """A parent order. Nothing bounds a market order's price.

        Raises: Unsupported for what the way in does not take.
        """
        if order.post_only or order.time_in_force is TimeInForce.FOK:
            self._refuse("post_only" if order.post_only else "fok")
        if order.slippage_bps is not None:
            self._refuse("slippage_bps")
        at_once = order.price is None or order.time_in_force is TimeInForce.IOC
        return Request(
            "POST",
            ORDERS,
            json=self.route.order(order),
            host=APP,
            signed=True,
            scope=APP,
            lane=Lane.HEDGE if at_once else Lane.QUOTE,
            command=True,
        )

    @checked_here
    def decode_placement(self, answer: Json, order: OrderRequest) -> Order:
        """TreadFi has it; of the venue beneath it tells nothing yet."""
        [row] = answer if isinstance(answer, list) else [answer]
        filled = amount(row.get("executed_qty")) or Decimal(0)
        reason = row.get("failure_reason") or ""
        status = OrderStatus.PENDING
        if "status" in row:
            status = status_of(row["status"], order.size, filled, reason)
        told = acknowledged(
            order,
            row,
            id=_id(row["id"]),
            status=status,
            filled=filled,
            average_price=average_of(row) if filled else None,
            timestamp_ms=created_ms(row),
        )
        return {**told, "reason": reason}

    def encode_cancel(self, cancel: CancelRequest, market: Market) -> Request:
        """Raises: OrderNotFound for a client id whose order TreadFi has not named."""
        order_id = cancel.order_id or self._unnamed.order_id_of(cancel.client_id)
        if not order_id:
            raise OrderNotFound(f"no order {cancel.client_id}", venue=self.SPEC.name)
        return self.route.cancel(order_id)

    def decode_cancel(self, answer: Json) -> Order | None:
        """Always None: it is only said that the parent is canceled."""
        return None

    def encode_order_queries(self, query: CancelRequest, market: Market) -> list[Request]:
        """By TreadFi's id its summary; else the table, all of it and then what has ended.

        UNVERIFIED: that the table without `statuses` has ended orders, too; therefore both.
        """
        order_id = query.order_id or self._unnamed.order_id_of(query.client_id)
        if order_id:
            return [read(f"{SUMMARY}{order_id}", {})]
        if self.keys.get("token"):
            own = {"custom_order_ids": query.client_id}
        elif self._unnamed.since_ms(query.client_id) is None:
            return []  # neither of this run nor of an earlier one
        else:
            own = {}
        account = self.account_name
        return [listed(account, **own), listed(account, statuses=ENDED, **own)]

    @checked_here
    def decode_order_query(self, answer: Json, query: CancelRequest) -> Order | None:
        """Raises: OutcomeUnknown where several rows could be the order; ProtocolError where the
        table was cut before the time at which it was sent."""
        if "orders" not in answer:
            return self.decode_order(answer)
        orders = self._orders(answer)
        if self.keys.get("token"):
            return next((o for o in orders if o["client_order_id"] == query.client_id), None)
        since_ms = self._unnamed.since_ms(query.client_id)
        assert since_ms is not None, "asked for with a time"
        self._check_whole(answer["orders"], since_ms)
        return self._unnamed.find(query.client_id, query.symbol, orders)

    def decode_order(self, answer: Json) -> Order:
        return decode_order(answer, self._unnamed.client_id_of(_id(answer["id"])))

    def encode_open_orders(self, market: Market | None) -> Request:
        return self.route.open_orders("" if market is None else market["symbol"])

    @checked_here
    def decode_orders(self, answer: Json) -> list[Order]:
        """Raises: ProtocolError where there may be more than a page of them."""
        if len(answer["orders"]) >= PAGE:
            raise ProtocolError("more open orders than a page holds", venue=self.SPEC.name)
        return self._orders(answer)

    def _orders(self, answer: Json) -> list[Order]:
        return [self.decode_order(row) for row in rows_of(answer, self.account_name)]

    def encode_fills(self, market: Market | None, since_ms: int, cursor: str | None) -> Request:
        """Parents that have ended; see `decode_fill` of the family.

        They are chosen by when they were made, and are worked for a day at most.
        """
        query = {"statuses": ENDED, "page": cursor or "1"}
        if since_ms > 0:
            query["after"] = iso(since_ms - DAY * 1000)
        return listed(self.account_name, **query)

    @checked_here
    def decode_fills(self, answer: Json, cursor: str | None) -> FillPage:
        rows = rows_of(answer, self.account_name)
        client_id_of = self._unnamed.client_id_of
        fills = [decode_fill(row, client_id_of(row["id"])) for row in rows if _executed(row)]
        more = len(answer["orders"]) >= PAGE
        return FillPage(fills, str(int(cursor or 1) + 1) if more else None)

    def encode_schedule_cancel(self, at_ms: int | None) -> Request:
        """What the venue beneath has would not end the parents."""
        self._refuse("schedule_cancel")

    # ----------------------------------------------------------------- account

    def encode_collateral(self) -> tuple[Request, ...]:
        """TreadFi is asked whether the account is linked; the money is the venue's beneath."""
        beneath = super().encode_collateral()
        reads = beneath if isinstance(beneath, tuple) else (beneath,)
        return (self.route.account(), *reads)

    @checked_here
    def decode_collateral(self, answer: Json) -> Collateral:
        """Raises: AuthError where no such account is linked."""
        linked, *beneath = answer
        self.decode_linked(linked)
        return super().decode_collateral(beneath if len(beneath) > 1 else beneath[0])

    @checked_here
    def decode_fees(self, answer: Json, market: Market) -> Fees:
        """The venue's beneath and TreadFi's own. UNVERIFIED: that makers pay it, too."""
        fees = super().decode_fees(answer, market)
        maker, taker = fees["maker"] + self.FEE, fees["taker"] + self.FEE
        return {**fees, "maker": maker, "taker": taker, "assumed": True}

    @checked_here
    def decode_linked(self, answer: Json) -> str:
        """TreadFi's id of the account. Raises: AuthError where no such account is linked."""
        name = self.account_name
        entries = answer if isinstance(answer, list) else _entries(answer)
        for entry in entries:
            if entry.get("account_name", entry.get("name")) == name:
                return _id(entry.get("account_id", entry.get("id")))
        raise AuthError(
            f"no account {name!r} is linked at TreadFi", venue=self.SPEC.name, code="account_name"
        )

    # ----------------------------------------------------------------- helpers

    def _check_whole(self, rows: list[Json], since_ms: int) -> None:
        """A full page must reach back beyond a time, newest first, to prove an absence."""
        if len(rows) < PAGE:
            return
        times = [created_ms(row) or 0 for row in rows]
        if times != sorted(times, reverse=True) or times[-1] >= since_ms:
            raise ProtocolError("the table of orders was cut", venue=self.SPEC.name)


def whole_leverage(leverage: Decimal, venue: str) -> int:
    """Raises: BadOrder unless it is a whole number."""
    if leverage != int(leverage) or leverage < 1:
        raise BadOrder(f"leverage {leverage} is not a whole number", venue=venue)
    return int(leverage)


def sign_text(secret: str, text: str) -> WalletProof:
    """What a wallet's `personal_sign` gives. Raises: UsageError, MissingDependency."""
    from mpdex.utils.signing.eip712 import EvmSigner, personal_digest

    signer = EvmSigner(secret)
    return WalletProof(signer.address, signer.sign(personal_digest(text)).hex)


def session_of(cookies: Mapping[str, Cookie]) -> Session:
    """Lasts as long as the cookie of the session."""
    text = "; ".join(f"{name}={cookies[name].value}" for name in (_CSRF, _SESSION))
    return Session({"Cookie": text}, cookies[_SESSION].expires_ms)


def find_cookie(header: str, name: str) -> str:
    """Its value in a `Cookie` header; "" where it is not there."""
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value
    return ""


def _metadata(cookies: Mapping[str, Cookie]) -> LoginStep:
    headers = {**BROWSER, **session_of(cookies).headers}
    return LoginStep("GET", METADATA, host=APP, scope=APP, headers=headers, cookies=cookies)


def _hop(location: str, cookies: Mapping[str, Cookie], venue: str) -> LoginStep:
    """Cookies may be set on the way; they go nowhere but to TreadFi."""
    from urllib.parse import urlsplit  # here: a login is rare, and this is slow to import

    target = urlsplit(location)
    away = target.netloc and f"{target.scheme}://{target.netloc}" != ORIGIN
    if away or not target.path.startswith("/"):
        raise AuthError("the login leads elsewhere", venue=venue, code="redirect")
    pairs = "; ".join(f"{name}={cookie.value}" for name, cookie in cookies.items())
    headers = {**BROWSER, **({"Cookie": pairs} if pairs else {})}
    return LoginStep("GET", target.path, host=APP, scope=APP, headers=headers, cookies=cookies)


def _words(answer: Answer) -> str:
    """TreadFi's own words, if it has any."""
    try:
        return text_of(answer.json())[:200] or f"HTTP {answer.status}"
    except ProtocolError:
        return f"HTTP {answer.status}"


def _entries(answer: Json) -> list[Json]:
    """Of the page's balances, or of the API's accounts. UNVERIFIED: whether those are paged."""
    found = answer.get("balances", answer.get("results", answer.get("accounts")))
    if not isinstance(found, list):
        raise ProtocolError("no list of accounts", raw=answer)
    return found


def _executed(row: Json) -> bool:
    return bool(amount(row.get("executed_qty")))


def _id(value: Json) -> str:
    """Raises: ProtocolError unless it is a text."""
    if not isinstance(value, str) or not value:
        raise ProtocolError("a record without its id", raw=value)
    return value
