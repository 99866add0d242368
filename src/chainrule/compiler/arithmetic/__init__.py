"""Elementwise primitives on registers: exp, log, tanh, erf, sin, pow and the rest, in vectors of any width."""
