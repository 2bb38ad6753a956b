"""Pacifica passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestPacifica(VenueConformance):
    venue = "pacifica"
    unsupported = frozenset({"get_clock_skew"})
    untold = frozenset({"post_only", "average_price"})
    whole_books = True
    recorded = recorded("pacifica")


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
