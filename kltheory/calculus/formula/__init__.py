"""Formulas typed by people: text becomes a SymPy expression, and is never evaluated as Python."""
