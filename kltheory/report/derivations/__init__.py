"""Derivations of the kinds of claims, a module for each family."""
