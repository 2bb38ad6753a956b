"""The benchmark suite: every claim about speed, measured beside a floor. Not tests; see harness."""
