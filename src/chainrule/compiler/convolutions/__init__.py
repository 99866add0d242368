"""Convolutions forward and both gradients, each in the way that suits its shape."""
