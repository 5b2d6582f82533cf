"""The atlas: everything that is known, on one page of HTML or in a LaTeX appendix. Jinja2 loads on first use."""
