"""Graph to graph, for the compiler alone: what is computed again, in parts, in pairs or behind a loop."""
