"""`python main.py --module check|order|close|cancel|pnl|symbols`, the same as `mpdex check`."""

from mpdex.cli import main_by_module

if __name__ == "__main__":
    main_by_module()
