"""Hyperliquid passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestHyperliquid(VenueConformance):
    venue = "hyperliquid"
    recorded = recorded("hyperliquid")
    untold = frozenset({"average_price"})
    whole_books = True
    spot_coin = "UETH"


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
