"""Numbers for formulas: NumPy sums, JAX derivatives, certified balls. JAX loads on first use."""
