"""The strategy itself: ST-01 to ST-14 of the fault matrix."""
