"""Sequences: losses of whole responses, and when two of them have the same expected gradient."""
