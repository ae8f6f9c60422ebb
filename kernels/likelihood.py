"""Importance-weighted bounds on the log likelihood of a decoder with a Gaussian code (Burda, Grosse & Salakhutdinov 2016).

With q the Gaussian that the encoder gives for a row x, and k draws z from it:

    log p(x)  >=  E log (1 / k) sum_i p(x | z_i) p(z_i) / q(z_i | x)

one draw gives the bound of Kingma & Welling, and more draws a tighter one. Draw i of a row takes its numbers from (key, i, row id).
"""

import math

import numpy as np
from numba import prange

from ._jit import jit, parallel_jit
from .arithmetic.losses import even_loss_row
from .arithmetic.random import fill_normal
from .layers.gaussian import LIMIT, deviation


@parallel_jit
def draw_codes(key, row_ids, first_draw, inputs, codes, log_weights):
    """codes (B k, K) = k draws for each row of ``inputs`` (B, 2 K), means and log variances.

    They are draws first_draw, first_draw + 1, ... of rows ``row_ids`` (B,); log_weights (B k,) float64 = log p(z) / q(z | x).
    """
    n_draws, n = codes.shape[0] // inputs.shape[0], codes.shape[1]
    for i in prange(codes.shape[0]):
        row, noise, total = i // n_draws, np.empty(n, codes.dtype), 0.0
        fill_normal(key, first_draw + i % n_draws, row_ids[row], 0, 0, noise)
        for j in range(n):
            log_variance = inputs[row, n + j]
            codes[i, j] = inputs[row, j] + deviation(log_variance) * noise[j]
            z, e = np.float64(codes[i, j]), np.float64(noise[j])
            total += 0.5 * (e * e - z * z + min(max(np.float64(log_variance), -LIMIT), LIMIT))
        log_weights[i] = total


@parallel_jit
def add_log_likelihoods(loss, activation, outputs, target, log_weights):
    """Add log p(x | z), which is minus the loss, to ``log_weights`` (B k,): outputs (B k, V), target (B, V)."""
    n_draws = outputs.shape[0] // target.shape[0]
    for i in prange(outputs.shape[0]):
        delta = np.empty_like(outputs[i])
        log_weights[i] -= even_loss_row(loss, activation, outputs[i], target[i // n_draws], 0, delta)


@jit
def add_exponentials(log_weights, peaks, sums):
    """Go on with peaks (B,) and sums (B,), where sum of exp(log_weights) so far = sums exp(peaks); log_weights (B k,)."""
    n_draws = log_weights.shape[0] // peaks.shape[0]
    for row in range(peaks.shape[0]):
        for value in log_weights[row * n_draws : (row + 1) * n_draws]:
            if value > peaks[row]:
                sums[row] = sums[row] * math.exp(peaks[row] - value) + 1.0
                peaks[row] = value
            else:
                sums[row] += math.exp(value - peaks[row])
