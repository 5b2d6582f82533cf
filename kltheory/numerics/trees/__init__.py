"""The autoregressive engine: exact expectations over all responses of a prefix tree, in float64, by JAX or by NumPy."""
