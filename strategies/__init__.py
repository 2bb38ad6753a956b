"""What is built out of the library: the delta-neutral hedge."""
