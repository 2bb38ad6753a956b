"""Superstack passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestSuperstack(VenueConformance):
    venue = "superstack"
    recorded = recorded("superstack")
    untold = frozenset({"average_price"})
    whole_books = True


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
