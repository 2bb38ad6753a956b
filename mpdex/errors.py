"""Every way a call can fail, and who has to act.

    MpdexError                    .venue  .detail  .raw  (the venue's own answer, redacted)
    |- UsageError                 you: nothing left this process
    |  |- UnknownVenue            with the nearest name
    |  |- MissingDependency       also an ImportError; says what to install
    |  |- MissingCredentials      names the key and the template file
    |  |- UnknownSymbol           with the nearest symbols
    |  |- Unsupported             a flag this venue cannot honour
    |  |- BadOrder                below a minimum, off the grid, contradictory
    |- VenueError                 the venue said no: the outcome is known          .code  .request
    |  |- AuthError               SessionEnded: a new login mends it
    |  |- RateLimited             .retry_after (seconds, None where the venue does not say)
    |  |- OrderNotFound
    |  |- OrderRejected           InsufficientMargin, LimitReached, PostOnlyWouldCross,
    |                             ReduceOnlyRefused, PriceOutOfBand, MarketUnavailable,
    |                             SymbolRefused, PrecisionRefused, NonceRefused, NoImmediateMatch,
    |                             DuplicateClientId (an earlier copy may be live)
    |- TransportError             no answer, or none that can be trusted           .request
    |  |- NotSynced               we do not know the account (or the book) at this moment
    |- ProtocolError              an answer this version does not understand       .request
    |- OutcomeUnknown             an order command met one of the last two: query, never resend

Two questions decide the class: who has to act, and may the request have arrived.
"""

from __future__ import annotations

from typing import Any


class MpdexError(Exception):
    """Root of the tree.

    Attributes:
        venue: factory name of the venue, "" where none is involved.
        detail: one sentence for a person.
        raw: the venue's own message or answer, redacted; None where there was none.
    """

    def __init__(self, detail: str, *, venue: str = "", raw: Any = None) -> None:
        self.venue = venue
        self.detail = detail
        self.raw = raw
        super().__init__(f"{venue}: {detail}" if venue else detail)


class UsageError(MpdexError):
    """The caller can fix it; nothing left this process."""


class UnknownVenue(UsageError):
    """No venue of that name in the table or among the installed plug-ins."""


class MissingDependency(UsageError, ImportError):
    """An extra is not installed; the message is the install line."""


class MissingCredentials(UsageError):
    """A key is absent; the message names it and the template file."""


class UnknownSymbol(UsageError):
    """The venue does not list that symbol; the message has the nearest ones."""


class Unsupported(UsageError):
    """The venue cannot honour a flag or a call; nothing was sent."""


class BadOrder(UsageError):
    """The order cannot be right: below a minimum, off the grid, contradictory flags."""


class VenueError(MpdexError):
    """The venue refused: the outcome is known, nothing happened.

    Attributes:
        code: the venue's own code, as text.
        request: "METHOD path" of the refused request, without its secrets.
    """

    def __init__(
        self, detail: str, *, venue: str = "", raw: Any = None, code: str = "", request: str = ""
    ) -> None:
        self.code = code
        self.request = request
        super().__init__(_with_request(detail, request, code), venue=venue, raw=raw)


class AuthError(VenueError):
    """Credentials, session, permission or clock refused."""


class SessionEnded(AuthError):
    """The session is missing or over; the keys may be good."""


class RateLimited(VenueError):
    """Over a limit; the venue did not process the request."""

    def __init__(self, detail: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        self.retry_after = retry_after
        super().__init__(detail, **kwargs)


class OrderNotFound(VenueError):
    """No such order now. Not proof that it never was (it may have filled)."""


class OrderRejected(VenueError):
    """An order was refused for good."""


class InsufficientMargin(OrderRejected):
    """Not enough free collateral."""


class PostOnlyWouldCross(OrderRejected):
    """A post-only order would have taken liquidity."""


class ReduceOnlyRefused(OrderRejected):
    """A reduce-only order would not have reduced."""


class PriceOutOfBand(OrderRejected):
    """The price is outside the venue's protection band."""


class MarketUnavailable(OrderRejected):
    """The market is closed, paused, or in a mode that refuses this order."""


class SymbolRefused(OrderRejected):
    """The venue does not trade that symbol, whatever its list says."""


class PrecisionRefused(OrderRejected):
    """Off the tick or the step, or below a minimum: market facts are older than the venue's."""


class LimitReached(OrderRejected):
    """A cap on open interest, on the position or on the number of orders."""


class NonceRefused(OrderRejected):
    """The nonce was used or skipped: this copy never lands."""


class NoImmediateMatch(OrderRejected):
    """An immediate order found nothing to trade with."""


class DuplicateClientId(OrderRejected):
    """The client order id is in use: an earlier copy may be live."""


class _Unanswered(MpdexError):
    def __init__(self, detail: str, *, venue: str = "", raw: Any = None, request: str = "") -> None:
        self.request = request
        super().__init__(_with_request(detail, request), venue=venue, raw=raw)


class TransportError(_Unanswered):
    """No answer, or none that can be trusted. A read may be repeated."""


class NotSynced(TransportError):
    """The account or the book is not known at this moment; wait for the next snapshot."""


class ProtocolError(_Unanswered):
    """An answer this version does not understand: new enum, gap, malformed JSON."""


class OutcomeUnknown(_Unanswered):
    """An order command without a trustworthy answer: query by client id, never send again.

    Attributes:
        client_order_id: of the order it was about; "" for a command without one.
    """

    client_order_id = ""


def _with_request(detail: str, request: str = "", code: str = "") -> str:
    where = f" [{request}]" if request else ""
    which = f" (code {code})" if code else ""
    return f"{detail}{which}{where}"
