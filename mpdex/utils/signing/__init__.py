"""Bytes in, signature out: one module for each scheme, on the fastest maintained library."""
