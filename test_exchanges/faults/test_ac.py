"""The account and what others do to it: AC-01 to AC-16 of the fault matrix."""
