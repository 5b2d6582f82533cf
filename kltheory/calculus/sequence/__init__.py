"""Sequences: sums over the tokens of a response, and when two of them have the same expected gradient."""
