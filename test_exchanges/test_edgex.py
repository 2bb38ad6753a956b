"""EdgeX passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestEdgex(VenueConformance):
    venue = "edgex"
    recorded = recorded("edgex")


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
