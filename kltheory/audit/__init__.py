"""Auditing one real function: from a callable to findings about what it optimises."""
