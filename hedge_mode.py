"""`python hedge_mode.py --primary grvt --hedge backpack --ticker ETH --size 0.01 --iter 10`."""

from mpdex.cli import main_hedge

if __name__ == "__main__":
    main_hedge()
