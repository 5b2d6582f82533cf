"""Figures drawn from the objects of the calculus; Matplotlib loads when the first is drawn."""
