"""What every venue shares: one place for each difficulty."""
