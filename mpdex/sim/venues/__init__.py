"""One module for each simulated venue, with the opposite verbs of its wrapper."""
