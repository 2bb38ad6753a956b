"""Paradex passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestParadex(VenueConformance):
    venue = "paradex"
    whole_books = True
    late = frozenset({"MARGIN", "PRICE_BAND", "REDUCE_ONLY"})
    recorded = recorded("paradex")


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
