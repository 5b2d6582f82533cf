"""A user's file of theorems, and the command called in this process."""

from click.testing import CliRunner, Result

from kltheory.cli import cli

MY_CLAIMS = '''
"""What a user writes."""

from kltheory.proving.vocabulary import *


@theorem(catalogue="4", source="arXiv 2510.01555")
def k3_as_loss_eq_grad_forward_kl():
    """On-policy, k3 as a loss has the gradient of the forward KL."""
    return SameGradient(as_loss(k3), forward_kl.objective, POLICY)


@theorem()
def k3_as_loss_eq_grad_reverse_kl():
    """On-policy, k3 as a loss has the gradient of the reverse KL. (It has not.)"""
    return SameGradient(as_loss(k3), reverse_kl.objective, POLICY)


@theorem()
def pythagoras():
    """What the calculus cannot decide."""
    import sympy

    return Identity(sympy.sin(log_ratio) ** 2 + sympy.cos(log_ratio) ** 2, S.One)
'''


def invoke(*arguments: object) -> Result:
    """Whatever goes wrong is a message and an exit status, never an exception."""
    result = CliRunner().invoke(cli, list(map(str, arguments)), prog_name="kltheory")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert "Traceback" not in result.output
    return result
