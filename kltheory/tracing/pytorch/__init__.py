"""PyTorch's half of tracing: what each operation does to expressions, and how operations are seen."""
