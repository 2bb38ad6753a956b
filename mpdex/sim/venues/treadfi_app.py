"""The simulated TreadFi's calls: those of its page, behind a session, and those of its API.

It stands on the port of the venue beneath, under paths of its own. Which calls a token opens the
venue says; a session opens the documented reads, too (UNVERIFIED).

Sources: those of `treadfi_login` and `treadfi_desk`; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from mpdex.sim.venue import Handler, SimReply, SimRequest
from mpdex.sim.venues.treadfi_account import AccountCalls, named, read_body, words
from mpdex.sim.venues.treadfi_desk import (
    LIVE,
    STATUSES,
    USER,
    Parent,
    ParentDesk,
    Refused,
    plain,
    when,
)
from mpdex.sim.venues.treadfi_login import Logins, User
from mpdex.types import Json

ORDERS = "/api/orders/"
ORDER, SUMMARY, MULTI = "/api/order/", "/api/order_summary/", "/api/multi_order/"
CANCEL = "/internal/oms/cancel_order/"
BALANCE = "/internal/sor/get_cached_account_balance"
TABLE = "/internal/ems/get_order_table_rows"
CANCELED = "Successfully canceled order."
PAGE, LARGEST_PAGE = 20, 500  # UNVERIFIED, both
_DYNAMIC = (ORDER, SUMMARY, MULTI, CANCEL)
# Neutral refusal class -> body and status. No list of texts is public.
REJECTS: Mapping[str, tuple[Json, int]] = {
    "MARGIN": ({"error": "Insufficient margin to place the order"}, 400),
    "REDUCE_ONLY": ({"error": "Reduce only order would not reduce the position"}, 400),
    "PRICE_BAND": ({"error": "Price is too far away from the mark price"}, 400),
    "NOT_FOUND": ({"detail": "Not found."}, 404),
    "PERMISSION": ({"detail": "You do not have permission to perform this action."}, 403),
    "SYMBOL": ({"pair": ["Unknown pair."]}, 400),
    "PRECISION": ({"error": "Order has an invalid step precision."}, 400),
    "AUTH": ({"detail": "Authentication credentials were not provided."}, 403),
    "OI_CAP": ({"error": "Open interest is at its maximum"}, 400),
    "MARKET_STATE": ({"error": "Market is halted"}, 400),
    "RATE": ({"detail": "Request was throttled."}, 429),
}
Answer = Callable[[SimRequest, User], SimReply]


class TreadfiApp:
    """TreadFi in front of one venue.

    Args:
        tokens: whether the API's tokens are known here; with them its whole list of calls.
    """

    def __init__(
        self,
        logins: Logins,
        desk: ParentDesk,
        accounts: AccountCalls,
        *,
        tokens: bool,
    ) -> None:
        self.logins = logins
        self.desk = desk
        self.accounts = accounts
        self._tokens = tokens
        self._multis: dict[str, tuple[User, list[Parent], dict[str, Json]]] = {}

    # ---------------------------------------------------------------- what is where

    def routes(self) -> Iterable[tuple[str, str, Handler]]:
        yield "GET", "/internal/account/get_nonce/", self.logins.answer_nonce
        yield "POST", "/internal/account/wallet_auth/", self.logins.answer_auth
        yield "GET", "/internal/account/user_metadata/", self.logins.answer_metadata
        yield "POST", "/account/logout/", self.logins.answer_logout
        for method, path, answer in self._page_calls():
            yield method, path, self._guarded(answer, tokens=False)
        for method, path, answer in self._shared_calls():
            yield method, path, self._guarded(answer, tokens=self._tokens)
        if self._tokens:
            for method, path, answer in self._api_calls():
                yield method, path, self._guarded(answer, tokens=True)

    def _page_calls(self) -> Iterable[tuple[str, str, Answer]]:
        yield "GET", BALANCE, self.accounts.balance
        yield "GET", TABLE, self._table
        yield "POST", "/internal/sor/set_leverage", self.accounts.set_leverage

    def _shared_calls(self) -> Iterable[tuple[str, str, Answer]]:
        yield "POST", ORDERS, self._place
        yield "GET", ORDERS, self._list

    def _api_calls(self) -> Iterable[tuple[str, str, Answer]]:
        yield "GET", "/api/accounts/", self.accounts.names
        yield "GET", "/api/balances/", self.accounts.balances
        yield "POST", "/api/set_leverage/", self.accounts.set_leverage
        yield "POST", "/api/amend_order/", self._amend
        yield "POST", "/api/order_messages/", self._messages
        yield "POST", "/api/close_balances/", self._close_balances
        yield "POST", "/api/multi_orders/", self._place_multi

    def serves(self, path: str) -> bool:
        """Whether a path is TreadFi's; the venue beneath has none like these."""
        return path.startswith(("/internal/", "/account/")) or (
            path.startswith("/api/") and not path.startswith("/api/v1/")
        )

    def answer_named(self, request: SimRequest) -> SimReply:
        """Calls whose path ends in an id; anything else is not there."""
        path = request.path
        if request.method == "POST" and path.startswith(CANCEL):
            return self._guarded(self._cancel, tokens=False)(request)
        if path.startswith((ORDER, SUMMARY)):
            answer = {"GET": self._order, "DELETE": self._delete}.get(request.method)
            if answer is not None:
                return self._guarded(answer, tokens=self._tokens)(request)
        if path.startswith(MULTI) and request.method == "DELETE" and self._tokens:
            return self._guarded(self._cancel_multi, tokens=True)(request)
        return SimReply({"detail": "Not found."}, 404)

    def op_of(self, request: SimRequest) -> str:
        path, method = request.path, request.method
        if path.startswith(CANCEL) or (path.startswith(ORDER) and method == "DELETE"):
            return "cancel"
        if path.startswith((ORDER, SUMMARY)):
            return "query_order"
        if path == ORDERS:
            return "place" if method == "POST" else _list_op(request.query)
        if path.startswith(("/internal/account/", "/account/")):
            return "auth"
        if path in (BALANCE, "/api/accounts/", "/api/balances/"):
            return "query_balance"
        if path.endswith(("set_leverage", "set_leverage/")):
            return "leverage"
        return "query_open" if path == TABLE else ""

    def describe(self, request: SimRequest) -> Mapping[str, str]:
        parent = self.desk.parents.get(_last(request.path))
        if parent is not None:
            return {"order_id": parent.child.order_id, "symbol": parent.child.symbol}
        if request.path == ORDERS and request.method == "GET":
            return {"client_id": request.query.get("custom_order_ids", "")}
        if request.path != ORDERS:
            return {}
        body = read_body(request)
        params = body.get("strategy_params")
        reduces = isinstance(params, dict) and params.get("reduce_only") is True
        return {
            "side": str(body.get("side", "")),
            "symbol": self.desk.symbols.get(str(body.get("pair")), ""),
            "size": str(body.get("base_asset_qty", "")),
            "price": str(body.get("limit_price") or ""),
            "client_id": str(body.get("custom_order_id") or ""),
            "reduce_only": str(reduces).lower(),
            "post_only": "false",
        }

    def reject(self, kind: str, code: str) -> SimReply:
        body, status = REJECTS.get(kind, ({"error": "Invalid order."}, 400))
        return SimReply(body, int(code) if code.isdigit() else status)

    # ---------------------------------------------------------------- orders

    def _place(self, request: SimRequest, user: User) -> SimReply:
        api = "authorization" in request.headers
        parent = self.desk.place(read_body(request), user.accounts, api=api)
        return SimReply({**self.desk.render(parent), "placements": []})

    def _order(self, request: SimRequest, user: User) -> SimReply:
        parent = self.desk.find(_last(request.path), user.accounts)
        row = self.desk.render(parent)
        return SimReply(row if request.path.startswith(SUMMARY) else {**row, "placements": []})

    def _cancel(self, request: SimRequest, user: User) -> SimReply:
        parent = self.desk.find(_last(request.path), user.accounts)
        if not self.desk.cancel(parent):
            return SimReply({"message": "Order is not active."}, 400)
        return SimReply({"message": CANCELED})

    def _delete(self, request: SimRequest, user: User) -> SimReply:
        """The API's cancel. UNVERIFIED: that it says what the page's does."""
        return self._cancel(request, user)

    def _list(self, request: SimRequest, user: User) -> SimReply:
        """UNVERIFIED: without `statuses` all, newest first; times in ISO 8601."""
        query = request.query
        wanted = frozenset(words(query, "statuses")) or STATUSES
        if wanted - STATUSES:
            raise Refused({"statuses": [f"Invalid status {min(wanted - STATUSES)}."]})
        rows = self.desk.rows(named(user, query), wanted)
        custom = words(query, "custom_order_ids")
        if custom:
            rows = [row for row in rows if row["custom_order_id"] in custom]
        after, before = _time(query, "after"), _time(query, "before")
        if after is not None:
            rows = [row for row in rows if datetime.fromisoformat(row["created_at"]) >= after]
        if before is not None:
            rows = [row for row in rows if datetime.fromisoformat(row["created_at"]) <= before]
        size = min(_count(query, "page_size", PAGE), LARGEST_PAGE)
        start = (_count(query, "page", 1) - 1) * size
        return SimReply({"orders": rows[start : start + size]})

    def _table(self, request: SimRequest, user: User) -> SimReply:
        """The page's own table."""
        query = request.query
        wanted = LIVE if query.get("status") == "ACTIVE" else STATUSES
        rows = self.desk.rows(user.accounts, wanted)
        pair = query.get("pair")
        rows = [row for row in rows if pair in (None, row["pair"])]
        return SimReply({"orders": rows[: _count(query, "page_size", PAGE)]})

    def _amend(self, request: SimRequest, user: User) -> SimReply:
        body = read_body(request)
        parent = self.desk.find(str(body.get("order_id")), user.accounts)
        changes = body.get("changes")
        self.desk.amend(parent, changes if isinstance(changes, dict) else {})
        return SimReply(self.desk.render(parent))

    def _messages(self, request: SimRequest, user: User) -> SimReply:
        """UNVERIFIED: the form; by order, what its engine has to say."""
        ids = read_body(request).get("order_ids")
        asked = ids if isinstance(ids, list) else []
        found = [self.desk.find(str(one), user.accounts) for one in asked]
        return SimReply({parent.id: [] for parent in found})

    def _place_multi(self, request: SimRequest, user: User) -> SimReply:
        """Several parents at once, each as simple as any other."""
        body = read_body(request)
        children = body.get("child_orders")
        if not isinstance(children, list) or not children:
            raise Refused({"child_orders": ["This field is required."]})
        common = {name: body.get(name) for name in ("strategy", "strategy_params", "duration")}
        simple = [
            {**common, **child, "accounts": [child.get("account")]}
            for child in children
            if isinstance(child, dict)
        ]
        parents = [self.desk.place(one, user.accounts, api=True) for one in simple]
        number = parents[0].id[::-1]
        multi: dict[str, Json] = {
            "id": number,
            "created_at": when(parents[0].created_ns),
            "updated_at": when(parents[0].created_ns),
            "time_start": when(parents[0].created_ns),
            "duration": body.get("duration"),
            "child_order_ids": [parent.id for parent in parents],
            "strategy": body.get("strategy"),
            "strategy_params": body.get("strategy_params") or {},
            "engine_passiveness": str(body.get("engine_passiveness", "0.02")),
            "schedule_discretion": str(body.get("schedule_discretion", "0.08")),
            "user": USER,
            "time_zone": "UTC",
            "status": "SUBMITTED",
            "failure_reason": "",
        }
        self._multis[number] = (user, parents, multi)
        return SimReply(multi)

    def _cancel_multi(self, request: SimRequest, user: User) -> SimReply:
        found = self._multis.get(_last(request.path))
        if found is None or found[0] is not user:
            raise Refused({"detail": "Not found."}, 404)
        _, parents, multi = found
        for parent in parents:
            self.desk.cancel(parent)
        multi["status"] = "CANCELED"
        return SimReply({"message": CANCELED})

    def _close_balances(self, request: SimRequest, user: User) -> SimReply:
        """A market order against each position, no larger than is allowed."""
        body, placed = read_body(request), []
        names = body.get("account_names")
        chosen = [one for one in user.accounts if not names or one.name in names]
        for account in chosen:
            for pair, size in self.accounts.positions(account):
                sent = {
                    "accounts": [account.name],
                    "pair": pair,
                    "side": "sell" if size > 0 else "buy",
                    "strategy": "Market",
                    "base_asset_qty": plain(abs(size)),
                    "strategy_params": {"reduce_only": True},
                }
                placed.append(self.desk.place(sent, user.accounts, api=True).id)
        return SimReply({"order_ids": placed})

    # ---------------------------------------------------------------- guard

    def _guarded(self, answer: Answer, *, tokens: bool) -> Handler:
        def handler(request: SimRequest) -> SimReply:
            user = self.logins.identify(request, tokens=tokens)
            if isinstance(user, SimReply):
                return user
            try:
                return answer(request, user)
            except Refused as refused:
                return SimReply(refused.body, refused.status)

        return handler


# --------------------------------------------------------------------------- reading


def _count(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, "")
    return int(text) if text.isdecimal() and int(text) else otherwise


def _time(query: Mapping[str, str], name: str) -> datetime | None:
    """Raises: Refused."""
    text = query.get(name)
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        raise Refused({name: ["Enter a valid date/time."]}) from None


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _list_op(query: Mapping[str, str]) -> str:
    """What a list is asked for, as far as its filters say."""
    if "custom_order_ids" in query:
        return "query_order"
    if "ACTIVE" in query.get("statuses", ""):
        return "query_open"
    return "query_fills" if "after" in query else "query_order"
