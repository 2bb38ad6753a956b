"""Extended passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestExtended(VenueConformance):
    venue = "extended"
    unsupported = frozenset({"get_clock_skew"})
    recorded = recorded("extended")


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
