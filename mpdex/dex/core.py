"""What an exchange object is made of: keys, clock, limits, markets, and what it is called.

The layers beside this module stand on one another: what is asked of the venue by REST (`requests`,
`queries`), what is connected (`connections`), how a command leaves (`commands`), and on top of them
the public methods, which `multi_perp_dex` puts together.

Everything that an order can be encoded and signed without is imported and made when it is first
used: it brings asyncio, which is most of what an import of this library costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mpdex.errors import MissingCredentials, UsageError
from mpdex.types import Limit
from mpdex.utils.client_ids import ClientIds
from mpdex.utils.clock import Clock, SystemClock, VenueClock
from mpdex.utils.markets import MarketList
from mpdex.utils.translation import Translation

if TYPE_CHECKING:
    import random

    from mpdex.utils.nonces import Nonces
    from mpdex.utils.pool import Lease
    from mpdex.utils.throttle import Throttle


class DexCore(Translation):
    """What every layer stands on."""

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

    @cached_property
    def _throttle(self) -> Throttle:
        from mpdex.utils.throttle import Throttle

        return Throttle(self.limits, clock=self.clock, share=self._limit_share)

    @cached_property
    def _nonces(self) -> Nonces | None:
        return None if self.read_only else self.make_nonces()

    @cached_property
    def _rng(self) -> random.Random:
        import random

        return self._given_rng or random.Random()


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
    keys = {
        name: value.strip() if isinstance(value, str) else value for name, value in keys.items()
    }
    damaged = [name for name, value in keys.items() if not str(value).isprintable()]
    if damaged:  # in a header, a line that was broken in copying would begin another header
        raise UsageError(
            f"{damaged[0]} has letters that no key has; copy it again", venue=spec.name
        )
    missing = [name for name in spec.credentials if not keys.get(name)]
    if missing and not dex.read_only:
        template = f"keys/copy.pk_{spec.name.replace('.', '_')}.py"
        raise MissingCredentials(
            f"{', '.join(missing)} missing; {template} shows what is needed", venue=spec.name
        )
    return keys


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
