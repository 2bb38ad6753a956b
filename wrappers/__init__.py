"""One venue each: data and translation."""
