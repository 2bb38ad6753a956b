"""The simulated StandX's second socket, `ws-api`: order entry, and the results of all orders.

A call wraps the body of a REST request as text inside JSON, with its signature; it stands for that
request, so limits and faults are the same for both. It is answered twice: that it was accepted, and
later what came of it. A REST command that names the session of a socket is told of there as well.

Source: docs.standx.com, "Perps WebSocket API", Order Response Stream; frames seen live by public
clients; read 2026-11-21.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpdex.sim.models import Timers
from mpdex.sim.records import OrderChanged
from mpdex.sim.venue import SimConnection, SimReply, SimRequest
from mpdex.sim.venues import standx_wire as wire
from mpdex.sim.venues.standx_login import Logins
from mpdex.sim.venues.standx_orders import Taken
from mpdex.sim.venues.standx_wire import Refusal
from mpdex.types import Json, OrderStatus

PATH = "/ws-api/v1"
RESULT_AFTER = 0.05  # seconds between the two frames. UNVERIFIED: nobody has measured it
LOGIN = "auth:login"
METHODS = {"order:new": "/api/new_order", "order:cancel": "/api/cancel_order"}
SIGNED = ("x-request-id", "x-request-timestamp", "x-request-signature", "x-request-sign-version")
# A header that no client can send: the envelope's id, of a call; its presence tells one.
ENVELOPE = ":request-id"


class Calls:
    """Sessions of order sockets, and who waits for a result.

    Attributes:
        result_after: seconds from the acknowledgement to the result.
    """

    def __init__(self, timers: Timers, logins: Logins) -> None:
        self.result_after = RESULT_AFTER
        self._timers = timers
        self._logins = logins
        self._sessions: dict[str, SimConnection] = {}
        self._waiting: dict[str, list[tuple[Taken, str, str]]] = {}  # by order id
        self._hushed: set[str] = set()  # ids of calls that are not answered

    # ---------------------------------------------------------------- calls

    def request_of(self, conn: SimConnection, text: str) -> SimRequest | None:
        """The request that a frame stands for; None for anything but a call."""
        message = read_message(text)
        method, params = message.get("method"), message.get("params")
        if not isinstance(params, str):
            return None
        if method == LOGIN:
            return SimRequest("POST", PATH, body=params.encode())
        if method not in METHODS:
            return None
        return SimRequest("POST", METHODS[method], "", _headers(conn, message), params.encode())

    def login(self, conn: SimConnection, text: str) -> Json:
        """Bind a socket to an account and to the session id that it names."""
        message = read_message(text)
        try:
            token = str(wire.read_object(str(message.get("params"))).get("token"))
            conn.account = self._logins.session(token).account
        except Refusal as refusal:
            return named(message, refusal.fault.body)
        conn.state["token"] = token
        conn.state["session"] = str(message.get("session_id"))
        self._sessions[conn.state["session"]] = conn
        return named(message, {"code": 0, "message": "success"})

    def wrap(self, text: str, reply: SimReply) -> Json:
        """A REST answer as the answer to a call."""
        message = read_message(text)
        body = reply.body if isinstance(reply.body, dict) else {}
        if reply.status == 200:
            return named(message, {"code": 0, "status": "accepted"})
        words = str(body.get("message") or "internal error")
        return named(message, {"code": body.get("code", reply.status), "message": words})

    def hush(self, text: str) -> None:
        """Nothing more is said about a call."""
        self._hushed.add(str(read_message(text).get("request_id")))

    def forget(self, conn: SimConnection) -> None:
        """The connection is gone."""
        session = conn.state.get("session", "")
        if self._sessions.get(session) is conn:
            del self._sessions[session]

    # ---------------------------------------------------------------- results

    def tell(self, request: SimRequest, account: str, request_id: str, taken: Taken) -> None:
        """Tell the session that a command names what came of it, as soon as that is known."""
        session = request.headers.get("x-session-id", "")
        conn = self._sessions.get(session)
        if conn is None or conn.account != account:
            return
        if ENVELOPE not in request.headers:
            conn.send({"code": 0, "status": "accepted", "request_id": request_id}, "ack")
        self._later(taken, session, request_id)

    def note(self, event: OrderChanged) -> None:
        """An order that matching has left open until now is decided."""
        decided = event.order.status is not OrderStatus.PENDING
        if decided and event.order.order_id in self._waiting:
            for waiting in self._waiting.pop(event.order.order_id):
                self._later(*waiting)

    def _later(self, taken: Taken, session: str, request_id: str) -> None:
        if taken.lost:
            return
        if taken.order is not None and not taken.decided:
            waiting = self._waiting.setdefault(taken.order.order_id, [])
            waiting.append((taken, session, request_id))
            return
        verdict = {**taken.verdict(), "request_id": request_id}
        self._timers.after(self.result_after, lambda: self._send(session, verdict))

    def _send(self, session: str, frame: Json) -> None:
        """To the socket that has the session now, if there is one."""
        conn = self._sessions.get(session)
        if conn is not None and conn.open and frame["request_id"] not in self._hushed:
            conn.send(frame, "ack")


def read_message(text: str) -> dict[str, Json]:
    """A text frame; {} where it is no object."""
    try:
        return wire.read_object(text)
    except Refusal:
        return {}


def named(message: Mapping[str, Json], body: Mapping[str, Json]) -> dict[str, Json]:
    """An answer under the id of the envelope that it answers."""
    return {**body, "request_id": message.get("request_id")}


def _headers(conn: SimConnection, message: Mapping[str, Json]) -> dict[str, str]:
    """What REST has in headers: the signature of the call, and the token of the socket."""
    sent = message.get("header")
    sent = sent if isinstance(sent, dict) else {}
    signed = {name: value for name, value in sent.items() if isinstance(value, str)}
    token = conn.state.get("token")
    return {
        **{name: signed[name] for name in SIGNED if name in signed},
        **({"authorization": f"Bearer {token}"} if token else {}),
        "x-session-id": str(message.get("session_id")),
        ENVELOPE: str(message.get("request_id")),
    }
