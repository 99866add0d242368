"""A compiled function as its user calls it: arguments, cells, epochs, checks, profile, forecast."""
