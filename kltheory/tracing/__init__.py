"""Tracing: real JAX and PyTorch functions, run unchanged, become SymPy expressions."""
