"""What runs together, where values lie, in which order: units, places, buffers, the instructions of a program."""
