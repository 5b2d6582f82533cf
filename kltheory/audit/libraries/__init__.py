"""One file for each library: how its function is reached, and its variants. ``python -m`` builds and audits them."""
