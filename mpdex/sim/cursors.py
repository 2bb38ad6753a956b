"""Cursors of paged histories, as several venues make them: opaque text around a place in a list."""

from __future__ import annotations

import base64


def write_cursor(end: int) -> str:
    """Of the place before which a page ends: what is added later neither repeats nor hides rows."""
    return base64.urlsafe_b64encode(f'{{"end":{end}}}'.encode()).decode()


def read_cursor(text: str, size: int) -> int:
    """The place that a cursor names in a list of so many; the end of the list for "".

    Raises: ValueError.
    """
    if not text:
        return size
    said = base64.urlsafe_b64decode(text).decode()
    return min(int(said.removeprefix('{"end":').removesuffix("}")), size)
