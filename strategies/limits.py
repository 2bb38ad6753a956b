"""The numbers of the gates. Each says when a gate closes; none of them is a target.

They are those of the specification, section 9. Ratios are fractions, times seconds unless the name
says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a gate closes.

    Attributes:
        basis_window: how far back the basis is remembered; basis_interval: time between samples.
        basis_samples: so many make the basis known; basis_first: so many make a first guess.
        basis_mads, basis_floor_bps: the basis may be this many deviations from its median; a
            smaller deviation than the floor counts as the floor.
        basis_mad_bps: largest deviation at which the basis is still one.
        depth_share: part of what the hedge venue has within `depth_bps` that the clip may be.
        hedge_latency: largest 95th percentile of the last `hedge_latencies` hedges; `hedge_pause`
            follows.
        markout_bps: mean profit of the last `markout_fills` quotes, `markout_after` seconds after
            they filled, below which one is quoting into informed flow; `markout_pause` follows.
        frozen_bps, frozen_after: one venue's mid moved so much while the other's book was silent
            for so long: the silent one is not the market any more.
        crossed_for: seconds for which a crossed or locked book is taken for a passing one.
        outlier_bps: a single update that moves a mid by more is not believed until it is repeated.
        skew_pause_ms, skew_halt_ms: how far a venue's clock may be from ours.
        margin_clips: free margin must carry so many clips.
        account_age: margin that was read before that is not known: three readings have failed.
        liquidation_open, liquidation_reduce: distance of the liquidation price below which no pair
            is opened, and below which the pair is closed.
        funding_before, funding_cost_bps: no opening so shortly before a payment that costs more.
        login_left: how long a login that cannot be renewed must last for a pair to be open.
        quota_left, quota_forecast: requests that must be left, and as a multiple of what the run
            is expected to need.
        slippage_times, slippage_cycles: hedges that fill so much worse than usual, so often in a
            row, lead to a pause of `slippage_pause`.
        cost_cap: of a session, in multiples of what its cycles may cost.
    """

    basis_window: float = 300.0
    basis_interval: float = 0.25
    basis_samples: int = 60
    basis_first: int = 8
    basis_mads: Decimal = Decimal(6)
    basis_floor_bps: Decimal = Decimal("0.5")
    basis_mad_bps: Decimal = Decimal(8)
    depth_share: Decimal = Decimal("0.5")
    depth_bps: Decimal = Decimal(20)
    hedge_latency: float = 1.0
    hedge_latencies: int = 20
    hedge_pause: float = 60.0
    markout_bps: Decimal = Decimal(-4)
    markout_after: float = 5.0
    markout_fills: int = 20
    markout_pause: float = 60.0
    frozen_bps: Decimal = Decimal(5)
    frozen_after: float = 1.0
    crossed_for: float = 0.25
    outlier_bps: Decimal = Decimal(300)
    skew_pause_ms: float = 500.0
    skew_halt_ms: float = 2000.0
    margin_clips: int = 2
    account_age: float = 200.0
    liquidation_open: Decimal = Decimal("0.08")
    liquidation_reduce: Decimal = Decimal("0.05")
    funding_before: float = 300.0
    funding_cost_bps: Decimal = Decimal(1)
    login_left: float = 600.0
    quota_left: int = 200
    quota_forecast: int = 2
    slippage_times: Decimal = Decimal(2)
    slippage_cycles: int = 3
    slippage_pause: float = 60.0
    cost_cap: Decimal = Decimal("1.25")
