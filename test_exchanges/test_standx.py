"""StandX passes what every venue passes; run as a script, its signing vectors too."""

from checkout import recorded, run_as_script

from mpdex.testing import VenueConformance


class TestStandx(VenueConformance):
    venue = "standx"
    whole_books = True
    recorded = recorded("standx")


if __name__ == "__main__":
    raise SystemExit(run_as_script(__file__))
