"""The fault laboratory: what the bot does when a venue, the wire, the process or the disk fails.

A scenario is data (`scenario`), a run of it is on simulated venues in virtual time (`run`), and an
oracle that sees only what is true at the venues judges it (`oracle`).
"""
