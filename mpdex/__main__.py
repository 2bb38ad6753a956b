"""`python -m mpdex`: the console script."""

from mpdex.cli import main

if __name__ == "__main__":
    main()
