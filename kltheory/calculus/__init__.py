"""The calculus: from a surrogate to its coefficient and the objective it descends. SymPy only."""
