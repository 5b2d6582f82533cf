"""Reports for people: lines of a terminal, tables, derivations, LaTeX."""
