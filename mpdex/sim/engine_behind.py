"""The truth of a venue whose gateway answers before its engine has looked.

What the gateway takes has an id at once and no place in the book; the engine, a moment later, lets
it in or ends it with a reason. A cancel is on its way likewise.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from mpdex.sim.exchange import SimExchange
from mpdex.sim.records import SimOrder
from mpdex.types import OrderStatus


class EngineBehind(SimExchange):
    """An exchange that judges orders some time after it has taken them.

    Attributes:
        behind: seconds between the gateway and the engine.
        refused: how an order ends that the engine does not let in.
    """

    behind: ClassVar[float]
    refused: ClassVar[OrderStatus] = OrderStatus.REJECTED

    def told(self, order: SimOrder) -> SimOrder | None:
        """What vanished in the venue's hands is not known to its queries either."""
        return None if order.reason == "dropped" else super().told(order)

    def cost(self, order: SimOrder) -> Decimal:
        """Margin that an order needs before it is in."""
        return self._order_margin(order)

    def cancel_soon(self, order: SimOrder) -> None:
        """The engine ends an order that lives then."""
        if self.twist.keep_on_cancel:
            return
        self.timers.after(self.behind, lambda: self.cancel(order.account, order_id=order.order_id))

    def verdict(self, order: SimOrder) -> str:
        """Why the engine does not let an order in; "" if it does."""
        return super()._refusal(order)

    def _refusal(self, order: SimOrder) -> str:
        """The gateway has checked what it checks; the engine judges later."""
        return ""

    def _enter(self, order: SimOrder) -> None:
        if order.status is OrderStatus.PENDING:
            self.timers.after(self.behind, lambda: self._judge(order))
        else:
            super()._enter(order)

    def _judge(self, order: SimOrder) -> None:
        """In, or out with a reason."""
        if not order.live:
            return
        reason = self.verdict(order)
        if reason:
            self._end(order, self.refused, reason)
        else:
            self._let_in(order)

    def _let_in(self, order: SimOrder) -> None:
        """Into the book."""
        super()._enter(order)

    def _affordable(self, order: SimOrder) -> bool:
        """An order that is judged is live: its margin is already held."""
        return not self.cost(order) or self.free(order.account) >= 0
