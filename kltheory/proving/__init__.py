"""Proving: claims as data, theorems, engines, mutants, witnesses, verdicts."""
