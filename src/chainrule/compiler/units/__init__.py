"""Units to kernel calls: nests, products, convolutions, loops and branches."""
