"""A book from a snapshot and numbered changes: right, or stale, never wrong.

Levels are kept under the venue's own price text, so that a change of size is one assignment of
text; a number is made only for a level that appears or vanishes, and a `Decimal` only when somebody
reads. Sort keys are floats, which tell prices of up to 15 significant digits apart; no venue quotes
more, and two different prices with one key are refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from itertools import islice
from operator import lt

from mpdex.errors import NotSynced, ProtocolError
from mpdex.types import BBO, BookUpdate, OrderBook, Side

# Changes kept while the snapshot is being asked for: 10 s of a busy market (100 changes a second).
# When more come, the oldest go, and a snapshot too old for the rest is refused.
BUFFERED = 1000

# Changes in a row, each following the one before and all below what was already seen, that mean
# the venue has begun to count anew. Fewer may be a replay; more would leave the book frozen longer.
RESTARTED = 3

BPS = Decimal(10_000)


def _zeros(places: int) -> Iterator[str]:
    for sign in ("", "-", "+"):
        for n in range(places + 1):
            yield from (f"{sign}{'0' * (n + 1)}", f"{sign}0.{'0' * n}", f"{sign}.{'0' * (n + 1)}")
            for exponent in (f"e{n}", f"e-{n}", f"e+{n}", f"E{n}", f"E-{n}", f"E+{n}"):
                yield from (f"{sign}0{exponent}", f"{sign}0.0{exponent}")


# Every spelling of zero that venues and JSON writers use: 0, 0.00, -0.0, .0, 0., 0E-8, 0e0. A set,
# because making a number of each size would cost as much as all the rest. 40 places are twice what
# any venue has.
ZEROS = frozenset(_zeros(40))

_UNKNOWN = -1  # no update's `first` is below it: the quick path of `apply` is closed


class _Levels:
    """One side. `texts` and `keys` run parallel, the best price last; never replaced, only filled.

    Changes come thousands a second, so `change` holds the three common cases in one body.
    """

    __slots__ = ("_sign", "keys", "sizes", "texts")

    def __init__(self, sign: float) -> None:
        self._sign = sign
        self.sizes: dict[str, str] = {}
        self.texts: list[str] = []
        self.keys: list[float] = []

    def load(self, levels: Iterable[tuple[str, str]]) -> None:
        """Replace all.

        Sides are told best first, so nearly always all of it is there once it is turned round; from
        some venues, once it is sorted.
        """
        told = [*levels]
        told.reverse()
        sizes, sign = dict(told), self._sign
        keys = [float(price) * sign for price in sizes]  # sort key
        if len(keys) < len(told) or not ZEROS.isdisjoint(sizes.values()):
            return self._load_singly(told)
        if not _ascending(keys):
            ordered = sorted(zip(keys, told, strict=True))
            keys, sizes = [key for key, _ in ordered], dict([level for _, level in ordered])
            if not _ascending(keys):
                return self._load_singly(told)
        self.texts[:], self.keys[:] = sizes, keys
        self.sizes.clear()
        self.sizes.update(sizes)
        return None

    def _load_singly(self, told: list[tuple[str, str]]) -> None:
        """From worst to best; the sort is stable, so a price said twice counts as said last."""
        self.sizes.clear()
        self.texts.clear()
        self.keys.clear()
        told.reverse()
        self.change(sorted(told, key=self._key_of))

    def change(self, levels: Iterable[tuple[str, str]]) -> None:
        """Raises: ValueError; what came before the bad level is applied."""
        sizes, keys, texts, sign = self.sizes, self.keys, self.texts, self._sign
        for price, size in levels:
            if size in ZEROS:
                if price not in sizes and not self._respell(price):
                    continue
                del sizes[price]
                at = bisect_left(keys, float(price) * sign)  # sort key
                del keys[at], texts[at]
            elif price in sizes:
                sizes[price] = size
            else:
                key = float(price) * sign  # sort key
                if key - key:  # NaN for whatever is not finite, else 0
                    raise ValueError(f"{price} is not a price")
                at = bisect_left(keys, key)
                if at < len(keys) and keys[at] == key:
                    self._respell(price)
                else:
                    keys.insert(at, key)
                    texts.insert(at, price)
                sizes[price] = size

    def best_first(self) -> Iterator[tuple[Decimal, Decimal]]:
        """Raises: ProtocolError on a size that is none: nobody looked at sizes before."""
        for text in reversed(self.texts):
            size = self.sizes[text]
            try:
                yield Decimal(text), Decimal(size)
            except InvalidOperation as error:
                raise ProtocolError(f"{size} is not a size") from error

    def best(self) -> tuple[Decimal, Decimal] | tuple[None, None]:
        return next(self.best_first(), (None, None))

    def _key_of(self, level: tuple[str, str]) -> float:
        return float(level[0]) * self._sign  # sort key

    def _respell(self, price: str) -> bool:
        """Whether the price was there in another spelling; that one is replaced."""
        key = float(price) * self._sign  # sort key
        at = bisect_left(self.keys, key)
        if at == len(self.keys) or self.keys[at] != key:
            return False
        old = self.texts[at]
        if Decimal(old) != Decimal(price):
            raise ValueError(f"prices {old} and {price} have more digits than can be told apart")
        self.texts[at] = price
        self.sizes[price] = self.sizes.pop(old)
        return True


def _ascending(keys: list[float]) -> bool:
    """Strictly, and from one number to another: what is not finite is at an end."""
    if not keys:
        return True
    ends = keys[0] - keys[-1]
    return not ends - ends and all(map(lt, keys, islice(keys, 1, None)))


class Book:
    """One market's book.

    A change covers the numbers `first` to `last`. It is applied when `first <= applied + 1`,
    ignored when `last <= applied`, and otherwise a gap: the book is stale and reads raise until a
    snapshot. Meanwhile changes are kept and laid over a numbered snapshot that arrives later than
    they did (by REST); a snapshot too old to reach the first of them leaves the book stale. A
    snapshot numbered 0 begins the stream itself: what was kept is older, and the next change gives
    the count. So does a snapshot in the middle of a good book, unless its number is an older one.

    Attributes:
        symbol: the venue's spelling.
        indicative: it is what the venue quotes for one size, and nothing rests there.
        stale: True until a snapshot, and after a gap.
        gaps: how many gaps there were.
        updated_ms: the venue's time of the last update applied; None where it tells none.
        received: our monotonic time of it, in seconds.
    """

    def __init__(self, symbol: str, *, indicative: bool = False) -> None:
        self.symbol = symbol
        self.indicative = indicative
        self.stale = True
        self.gaps = 0
        self.updated_ms: int | None = None
        self.received = 0.0
        self._bids, self._asks = _Levels(1.0), _Levels(-1.0)
        self._bid_texts, self._bid_sizes = self._bids.texts, self._bids.sizes
        self._ask_texts, self._ask_sizes = self._asks.texts, self._asks.sizes
        self._next = _UNKNOWN
        self._joined = _UNKNOWN  # `_next` as the snapshot left it
        self._kept: deque[BookUpdate] = deque(maxlen=BUFFERED)
        self._old = _OldChanges()

    # ------------------------------------------------------------------ in

    def apply(self, update: BookUpdate, received: float = 0.0) -> bool:
        """Whether the book can be read now.

        Args:
            received: monotonic time at which the update came.

        Raises: ProtocolError when a price or size is not one; the book is stale then.
        """
        _, bids, asks, first, last, snapshot, timestamp_ms = update[:]
        try:
            if first <= self._next <= last and not snapshot:
                self._bids.change(bids)
                self._asks.change(asks)
                self._next = last + 1
                self.updated_ms = timestamp_ms
                self.received = received
                return True
            if snapshot:
                self._take_snapshot(update, received)
            else:
                self._take_odd(update, received)
        except ValueError as error:
            self.reset()
            raise ProtocolError(f"book of {self.symbol}: {error}") from error
        return not self.stale

    def reset(self) -> None:
        """Forget that anything is known: the stream is gone, or another one begins."""
        self.stale = True
        self._next = self._joined = _UNKNOWN
        self._kept.clear()
        self._old.forget()

    def _take_snapshot(self, update: BookUpdate, received: float) -> None:
        number = update.last
        if not self.stale and 0 < number < self._next - 1:
            return
        later = [change for change in self._kept if 0 < number < change.last]
        if later and later[0].first > number + 1:
            return
        self._bids.load(update.bids)
        self._asks.load(update.asks)
        self.stale = False
        self.updated_ms = update.timestamp_ms
        self.received = received
        self._next = self._joined = number + 1 if number > 0 else _UNKNOWN
        self._kept.clear()
        for change in later:
            self.apply(change, received)

    def _take_odd(self, update: BookUpdate, received: float) -> None:
        """A change that does not simply follow: old, ahead, first of its count, or too early."""
        if update.first > update.last:
            raise ValueError(f"a change from number {update.first} to {update.last}")
        moved = self._next != self._joined
        if self._old.is_new_count(update, self._next - 1 if moved else 0):
            self._lose(update)
        elif self.stale:
            self._kept.append(update)
        elif self._next == _UNKNOWN:
            self._next = update.first
            self.apply(update, received)
        elif update.first > self._next:
            self._lose(update)

    def _lose(self, update: BookUpdate) -> None:
        self.gaps += not self.stale
        self.reset()
        self._kept.append(update)

    # ------------------------------------------------------------------ out

    def best(self) -> tuple[str, str, str, str]:
        """Bid, its size, ask, its size, in the venue's own text; "" for a side that is empty.

        Raises: NotSynced.
        """
        if self.stale:
            self._check()
        try:
            bid, ask = self._bid_texts[-1], self._ask_texts[-1]
        except IndexError:
            return self._best_of_less()
        return bid, self._bid_sizes[bid], ask, self._ask_sizes[ask]

    def _best_of_less(self) -> tuple[str, str, str, str]:
        bids, asks = self._bids, self._asks
        bid = bids.texts[-1] if bids.texts else ""
        ask = asks.texts[-1] if asks.texts else ""
        return bid, bids.sizes.get(bid, ""), ask, asks.sizes.get(ask, "")

    def bbo(self) -> BBO:
        """Raises: NotSynced."""
        self._check()
        bid, bid_size = self._bids.best()
        ask, ask_size = self._asks.best()
        return BBO(
            symbol=self.symbol,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            timestamp_ms=self.updated_ms,
        )

    def levels(self, depth: int | None = None) -> OrderBook:
        """The best `depth` levels of each side; None: all. Raises: NotSynced."""
        self._check()
        return OrderBook(
            symbol=self.symbol,
            bids=list(islice(self._bids.best_first(), depth)),
            asks=list(islice(self._asks.best_first(), depth)),
            timestamp_ms=self.updated_ms,
            indicative=self.indicative,
        )

    def vwap(self, side: Side, size: Decimal) -> Decimal | None:
        """Average price of taking `size` coins at once by an order of `side`.

        None where the book does not hold that much. Raises: NotSynced.
        """
        self._check()
        left, cost = size, Decimal(0)
        for price, available in self._opposite(side).best_first():
            taken = min(left, available)
            cost += taken * price
            left -= taken
            if left <= 0:
                return cost / size if size else price
        return None

    def depth_within(
        self, side: Side, bps: Decimal | int, enough: Decimal | None = None
    ) -> Decimal:
        """Coins that an order of `side` can take within `bps` of the best price it meets.

        Args:
            enough: nobody needs to know of more: counting stops there.

        Raises: NotSynced.
        """
        self._check()
        levels = self._opposite(side)
        best, _ = levels.best()
        if best is None:
            return Decimal(0)
        reach = best * bps / BPS
        total = Decimal(0)
        for price, size in levels.best_first():
            if abs(price - best) > reach:
                break
            total += size
            if enough is not None and total >= enough:
                break
        return total

    @property
    def sequence(self) -> int | None:
        """The venue's number of the last update applied; None: stale, or not numbered yet."""
        return None if self._next == _UNKNOWN else self._next - 1

    @property
    def crossed(self) -> bool:
        """Whether the best bid is not below the best ask: not a market, whatever its numbers say.

        Raises: NotSynced.
        """
        self._check()
        bids, asks = self._bids.keys, self._asks.keys
        return bool(bids and asks) and bids[-1] >= -asks[-1]

    def _opposite(self, side: Side) -> _Levels:
        return self._asks if side == "buy" else self._bids

    def _check(self) -> None:
        if self.stale:
            raise NotSynced(f"the book of {self.symbol} is not known; wait for its next snapshot")


class _OldChanges:
    """Tells a venue that began to count anew from one that repeats itself."""

    __slots__ = ("_applied", "_last", "_length", "_newest")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self._newest = 0
        self._length = 0  # of the run of old changes, each following the one before
        self._last = 0  # number at the end of that run
        self._applied = 0  # and what was applied then: a change in between ends the run

    def is_new_count(self, update: BookUpdate, applied: int) -> bool:
        """Args: applied: number of the newest change applied, 0 for none since the snapshot."""
        if update.last >= max(self._newest, applied):
            self._newest = update.last
            self._length = 0
            return False
        follows = update.first <= self._last + 1 <= update.last and applied == self._applied
        self._length = self._length + 1 if follows else 1
        self._last, self._applied = update.last, applied
        return self._length >= RESTARTED
