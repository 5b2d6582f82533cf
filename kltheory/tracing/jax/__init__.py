"""Reading jaxprs: what each JAX primitive does to SymPy expressions."""
