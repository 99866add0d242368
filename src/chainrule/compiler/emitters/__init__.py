"""Every primitive that is neither elementwise nor has a fast path: one emitter each, and the table of them."""
