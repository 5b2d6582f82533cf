"""kltheory: what a KL penalty in RL of language models really optimises, by proof and by measurement."""

from kltheory.__about__ import __version__

__all__ = ["__version__"]
