"""What the two recurrent cells do with numbers of the same place of all gates; products have made the sums a of each before.

    GRU     r = s(a_r), z = s(a_z), n = tanh(a_n + r a_q)    h' = (1 - z) n + z h          Cho et al. 2014; reset after the product
    LSTM    i = s(a_i), f = s(a_f), g = tanh(a_g), o = s(a_o)    c' = f c + i g, h' = o tanh(c')     Hochreiter & Schmidhuber 1997

Gates are four vectors (n,): n, r, z, q or i, f, g, o. Loops have few arrays each: of more LLVM would not check any longer that
they lie apart, and make no vectors. Everything works in place and in any dtype.
"""

from .._jit import jit
from ..arithmetic.activations import sigmoid, tanh


@jit
def sigmoids(a):
    """a = s(a)."""
    for j in range(a.shape[0]):
        a[j] = sigmoid(a[j])


@jit
def gru_forward(n, r, z, q, before, h):
    """h = the states after a step, from those ``before``; the sums become n, r and z, q stays."""
    sigmoids(r)
    sigmoids(z)
    for j in range(n.shape[0]):
        n[j] = tanh(n[j] + r[j] * q[j])
    for j in range(n.shape[0]):
        h[j] = n[j] + z[j] * (before[j] - n[j])


@jit
def gru_backward(n, r, z, q, before, dh):
    """The gates become derivatives for their sums, from dh for h, which becomes what z passes on of it to those ``before``."""
    one = n.dtype.type(1)
    for j in range(n.shape[0]):
        new, update, d = n[j], z[j], dh[j]
        n[j] = d * (one - update) * (one - new * new)
        z[j] = d * (before[j] - new) * (update * (one - update))
        dh[j] = d * update
    for j in range(n.shape[0]):
        reset, d = r[j], n[j]
        r[j] = d * q[j] * (reset * (one - reset))
        q[j] = d * reset


@jit
def lstm_forward(i, f, g, o, before, c, h):
    """c, h = cells and states after a step, from the cells ``before``; the sums become the gates."""
    sigmoids(i)
    sigmoids(f)
    sigmoids(o)
    for j in range(g.shape[0]):
        g[j] = tanh(g[j])
    for j in range(c.shape[0]):
        c[j] = f[j] * before[j] + i[j] * g[j]
    for j in range(c.shape[0]):
        h[j] = o[j] * tanh(c[j])


@jit
def lstm_backward(i, f, g, o, before, c, dh, dc):
    """The gates become derivatives for their sums, from dh for h and dc for c, which becomes that for the cells ``before``."""
    one = i.dtype.type(1)
    for j in range(c.shape[0]):
        out, cell = o[j], tanh(c[j])
        dc[j] += dh[j] * out * (one - cell * cell)
        o[j] = dh[j] * cell * (out * (one - out))
    for j in range(c.shape[0]):
        inlet, new, d = i[j], g[j], dc[j]
        i[j] = d * new * (inlet * (one - inlet))
        g[j] = d * inlet * (one - new * new)
    for j in range(c.shape[0]):
        kept, d = f[j], dc[j]
        f[j] = d * before[j] * (kept * (one - kept))
        dc[j] = d * kept
