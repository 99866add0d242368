"""One step of a program as one function, and many in one call."""
