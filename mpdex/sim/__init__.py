"""Simulated venues: the other end of each wire. Shares no code with what it judges."""
