"""Each operation of the table beside JAX's own: values, and that the operation is met at all."""

import numpy as np
import pytest

from kltheory.numerics.autodiff import scope
from kltheory.numerics.primitives import CALLS, ENTRYWISE, SHAPED, by_numpy

X = np.array([[-0.7, 0.3, 0.0], [0.9, -0.2, 0.4]])
Y = np.array([[0.5, 0.3, -1.2], [-0.9, 2.0, 0.4]])
P = np.array([[0.2, 1.5, 3.0], [0.7, 2.5, 0.1]])
N = np.array([[-7, 7, 9], [-1, 5, -8]])


def rows():
    """Operation to a function that JAX writes with it, and its arguments."""
    import jax
    from jax import lax
    from jax import numpy as jnp

    one = {name: (getattr(lax, name), (X,)) for name in ("exp", "expm1", "square", "sinh", "cosh", "tanh", "abs")}
    one |= {name: (getattr(lax, name), (X,)) for name in ("sign", "asin", "neg", "stop_gradient")}
    one |= {name: (getattr(lax, name), (P,)) for name in ("log", "sqrt", "rsqrt")}
    two = {name: (getattr(lax, name), (X, Y)) for name in ("add", "sub", "mul", "div", "max", "min")}
    two |= {name: (getattr(lax, name), (X, Y)) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
    two |= {"pow": (lax.pow, (P, Y)), "and": (jnp.logical_and, (X > 0, Y > 0)), "or": (jnp.logical_or, (X > 0, Y > 0))}
    two |= {"not": (jnp.logical_not, (X > 0,)), "select_n": (jnp.where, (X > 0, X, Y))}
    two |= {"add_any": (jax.grad(lambda x: (x * jnp.exp(x)).sum()), (X,))}
    shaped = {
        "convert_element_type": (lambda x: x.astype("int32"), (Y,)),
        "integer_pow": (lambda x: x**3 + x**-2, (P,)),
        "reshape": (lambda x: x.reshape(3, 2), (X,)),
        "transpose": (jnp.transpose, (X,)),
        "concatenate": (lambda x, y: jnp.concatenate([x, y], 1), (X, Y)),
        "broadcast_in_dim": (lambda x: lax.broadcast_in_dim(x, (2, 4, 3), (0, 2)), (X,)),
        "reduce_sum": (lambda x: x.sum(0), (X,)),
        "reduce_max": (lambda x: x.max(1), (X,)),
    }
    calls = {
        "jit": (jax.jit(jnp.tanh), (X,)),
        "custom_jvp_call": (jax.nn.relu, (X,)),
        "custom_vjp_call": (_doubled(), (X,)),
    }
    return one | two | shaped | calls


def _doubled():
    import jax

    doubled = jax.custom_vjp(lambda x: 2 * x)
    doubled.defvjp(lambda x: (2 * x, None), lambda _, g: (g,))
    return doubled


def written(jaxpr):
    """The operations of a program and of those inside it."""
    for step in jaxpr.eqns:
        yield step.primitive.name
        for inner in step.params.values():
            yield from written(inner.jaxpr) if hasattr(inner, "jaxpr") else ()


NAMES = sorted({*ENTRYWISE, *SHAPED, *CALLS})


@pytest.mark.parametrize("name", NAMES)
def test_numpy_computes_what_jax_does(name):
    import jax

    with scope():
        function, arguments = rows()[name]
        assert name in written(jax.make_jaxpr(function)(*arguments).jaxpr)
        expected, found = np.asarray(function(*arguments)), by_numpy(function)(*arguments)
    assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-300)


def test_the_rows_are_those_of_the_tables():
    with scope():
        assert sorted(rows()) == NAMES


def test_whole_numbers_are_divided_towards_zero():
    import jax

    with scope():
        found = by_numpy(jax.lax.div)(N, np.full_like(N, 2))
    assert found.tolist() == [[-3, 3, 4], [0, 2, -4]]


def test_what_is_in_no_table_jax_runs():
    import jax

    with scope():
        found = by_numpy(lambda x: jax.numpy.cumsum(x, 1) @ x.T)(X)
    np.testing.assert_allclose(found, np.cumsum(X, 1) @ X.T, rtol=1e-15)


def test_pytrees_and_shapes_are_kept():
    """Another shape is another program."""
    with scope():
        both = by_numpy(lambda pair: {"sum": pair[0] + pair[1], "first": pair[0]})
        for x, y in ((X, Y), (X[0], Y[0])):
            found = both((x, y))
            assert found["sum"].tolist() == (x + y).tolist()
            assert found["first"].tolist() == x.tolist()
