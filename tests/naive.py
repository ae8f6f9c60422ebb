"""Plain NumPy twins of the compiled kernels: same names, same arguments, written from the formulas and not from the kernels.

Nothing of the project is imported, so settings come as any record with the right attributes. Arithmetic is in float64;
random numbers, and samples drawn by comparing with them, are in the dtype of the arrays, because there every bit counts.
`TWINS` maps "module.kernel" to its twin; `train` of the two trainers is `backprop_train` and `rbm_train` here.
"""

import numpy as np

LINEAR, SIGMOID, TANH, RELU, SOFTPLUS, SOFTMAX = range(6)
SQUARED_ERROR, CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, GAUSSIAN_NLL = range(4)
NO_CORRUPTION, MASKING, SALT_AND_PEPPER, GAUSSIAN_NOISE = range(4)
UINT8, FLOAT32, FLOAT64 = range(3)
MOMENTUM, NESTEROV, ADAM = range(3)
L1, SPARSITY, CONTRACTION, DIVERGENCE = range(4)
MARGIN = 1e-6  # of a mean activation
GAUSSIAN, BERNOULLI, RECTIFIED = LINEAR, SIGMOID, RELU
DENSE_LAYER, GAUSSIAN_LAYER = range(2)
LIMIT = 20.0  # of log variances
CODE_DRAW, SAMPLE_STRIDE = 8, 4096  # which numbers a Gaussian layer draws


def _float64(array):
    return np.asarray(array, np.float64)


def product(x, y):
    """x @ y in training; the tests of bfloat16 put in one that rounds."""
    return x @ y


# ---- random ----------------------------------------------------------------------------------------------------------


def philox(c0, c1, c2, c3, k0, k1):
    """Philox 4x32-10 of Salmon et al. 2011 (figure 2 and table 2) for scalars or arrays of 32-bit words held as uint64."""
    mask, half = np.uint64(2**32 - 1), np.uint64(32)
    left0, right0, left1, right1, k0, k1 = (np.asarray(word, np.uint64) for word in (c0, c1, c2, c3, k0, k1))
    for _ in range(10):
        product0, product1 = left0 * np.uint64(0xD2511F53), left1 * np.uint64(0xCD9E8D57)
        left0, left1 = (product1 >> half) ^ right0 ^ k0, (product0 >> half) ^ right1 ^ k1
        right0, right1 = product1 & mask, product0 & mask
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & mask, (k1 + np.uint64(0xBB67AE85)) & mask
    return left0, right0, left1, right1


def _words(key, epoch, row, draw, first_column, n):
    """The 32-bit words of columns ``first_column`` .. ``first_column + n - 1``; n is a multiple of 4."""
    blocks = np.arange(first_column // 4, (first_column + n) // 4, dtype=np.uint64)
    words = philox(blocks, *(np.full_like(blocks, word) for word in (row, epoch, draw)), key.word0, key.word1)
    return np.stack(words, axis=1).ravel()


def _whole_blocks(n):
    return 4 * ((n + 3) // 4)


def fill_uniform(key, epoch, row, draw, first_column, out):
    """The upper 24 bits of every word, as a fraction."""
    words = _words(key, epoch, row, draw, first_column, _whole_blocks(out.size))
    out[:] = (words // 2**8)[: out.size] / 2**24


def fill_normal(key, epoch, row, draw, first_column, out):
    """Box & Muller: sqrt(-2 log u) exp(2 pi i w), u in (0, 1], w in [0, 1); real parts in even columns, imaginary in odd ones."""
    bits = _words(key, epoch, row, draw, first_column, _whole_blocks(out.size)) // 2**8
    u, w = (bits[0::2] + 1) / 2**24, bits[1::2] / 2**24
    z = np.sqrt(-2 * np.log(u)) * np.exp(2j * np.pi * w)
    out[:] = z.view(np.float64)[: out.size]


def fill_uniform_matrix(key, epoch, draw, out):
    for row in range(len(out)):
        fill_uniform(key, epoch, row, draw, 0, out[row])


def fill_normal_matrix(key, epoch, draw, out):
    for row in range(len(out)):
        fill_normal(key, epoch, row, draw, 0, out[row])


def shuffle(key, epoch, part, order):
    """Fisher & Yates from the end; element i changes places with element floor(word_i (i + 1) / 2**32)."""
    words = [int(word) for word in _words(key, epoch, part, 0, 0, _whole_blocks(order.size))]
    for i in reversed(range(1, order.size)):
        j = words[i] * (i + 1) // 2**32
        order[[i, j]] = order[[j, i]]


# ---- activations -----------------------------------------------------------------------------------------------------


def _activated(activation, a):
    a = _float64(a)
    if activation == SIGMOID:
        return np.exp(-np.logaddexp(0, -a))
    if activation == TANH:
        return np.tanh(a)
    if activation == RELU:
        return np.maximum(a, 0)
    if activation == SOFTPLUS:
        return np.logaddexp(0, a)
    if activation == SOFTMAX:
        return np.exp(a - np.logaddexp.reduce(a, axis=-1, keepdims=True))
    return a


def _slope(activation, y):
    """f'(a) for y = f(a)."""
    y = _float64(y)
    if activation == SIGMOID:
        return y - y**2
    if activation == TANH:
        return 1 - y**2
    if activation == RELU:
        return np.heaviside(y, 0)
    if activation == SOFTPLUS:
        return -np.expm1(-y)
    return np.ones_like(y)


def activate(activation, row):
    row[:] = _activated(activation, row)


def differentiate(activation, output, delta):
    delta[:] = delta * _slope(activation, output)


# ---- losses ----------------------------------------------------------------------------------------------------------


def squared_error(output, target):
    return np.sum((_float64(output) - _float64(target)) ** 2)


def cross_entropy(logits, target, terms):
    a, t = _float64(logits), _float64(target)
    return np.sum(t * np.logaddexp(0, -a) + (1 - t) * np.logaddexp(0, a))  # -log s(a) = log(1 + exp(-a))


def softmax_cross_entropy(logits, label):
    return np.logaddexp.reduce(_float64(logits)) - float(logits[label])


def loss_and_delta(loss, activation, output, target, labels, weights, delta):
    if len(weights):
        return _weighted(loss, activation, output, target, weights, delta)
    rows = range(len(output))
    if loss in (SQUARED_ERROR, GAUSSIAN_NLL):
        share, constant = (2, 0) if loss == SQUARED_ERROR else (1, np.log(2 * np.pi) / 2)
        delta[:] = share * (_float64(output) - target) * _slope(activation, output) / len(output)
        return share / 2 * sum(squared_error(output[r], target[r]) for r in rows) + constant * output.size
    if loss == CROSS_ENTROPY:
        delta[:] = (_activated(SIGMOID, output) - target) / len(output)
        return sum(cross_entropy(output[r], target[r], None) for r in rows)
    truth = np.eye(output.shape[1])[labels]
    delta[:] = (_activated(SOFTMAX, output) - truth) / len(output)
    return sum(softmax_cross_entropy(output[r], labels[r]) for r in rows)


def _weighted(loss, activation, output, target, weights, delta):
    """Losses whose features count ``weights`` (B, n), and their delta."""
    out, goal, w = _float64(output), _float64(target), _float64(weights)
    if loss == SQUARED_ERROR:
        delta[:] = 2 * w * (out - goal) * _slope(activation, output) / len(output)
        return (w * (out - goal) ** 2).sum()
    if loss == GAUSSIAN_NLL:
        delta[:] = w * (out - goal) * _slope(activation, output) / len(output)
        return (w * ((out - goal) ** 2 + np.log(2 * np.pi)) / 2).sum()
    delta[:] = w * (_activated(SIGMOID, output) - goal) / len(output)
    return (w * (np.logaddexp(0, out) - goal * out)).sum()


# ---- terms -----------------------------------------------------------------------------------------------------------


def _penalty(kind, activation, target, a, weight):
    """Value of a penalty on outputs ``a`` (B, n) of a layer with a ``weight`` (n_in, n), and its slopes for inputs and weights."""
    own = _slope(activation, a) / len(a)
    if kind == L1:
        return np.abs(a).mean(axis=0).sum(), np.sign(a) * own, 0
    if kind == DIVERGENCE:  # of N(mean, exp(log variance)) from N(0, 1)
        is_mean = np.arange(a.shape[1]) < target
        values = np.where(is_mean, a**2, np.exp(a) - 1 - a) / 2
        return values.sum() / len(a), np.where(is_mean, a, np.expm1(a) / 2) * own, 0
    if kind == CONTRACTION:
        f1 = _slope(activation, a)
        f2 = {SIGMOID: f1 * (1 - 2 * a), TANH: -2 * a * f1, SOFTPLUS: f1 * (1 - f1)}.get(activation, np.zeros_like(a))
        norms = (weight**2).sum(axis=0)
        return (f1**2 * norms).sum(axis=1).mean(), 2 * f1 * f2 * norms / len(a), 2 * weight * (f1**2).mean(axis=0)
    a, own = ((1 + a) / 2, own / 2) if activation == TANH else (a, own)
    m = np.clip(a.mean(axis=0), MARGIN, 1 - MARGIN)
    divergence = target * np.log(target / m) + (1 - target) * np.log((1 - target) / (1 - m))
    return divergence.sum(), (m - target) / (m * (1 - m)) * own, 0


def _terms_on(terms, number):
    for (kind, layer), (weight, target) in zip(terms.places, terms.numbers, strict=True):
        if layer == number:
            yield kind, weight, target


# ---- corruption and samples ------------------------------------------------------------------------------------------


def emphasis_row(corruption, key, epoch, row, out):
    fill_uniform(key, epoch, row, 0, 0, out)
    out[:] = np.where(out < out.dtype.type(corruption.level), corruption.spoilt_weight, corruption.kept_weight)


def draw_binary(key, epoch, row, values):
    numbers = np.empty_like(values)
    fill_uniform(key, epoch, row, 2, 0, numbers)
    values[:] = numbers < values


def corrupt(corruption, key, epoch, row, clean, out):
    if corruption.binarize:
        draw_binary(key, epoch, row, clean)
    clean, cast = clean.copy(), out.dtype.type
    noise = np.empty_like(out)
    if corruption.kind == GAUSSIAN_NOISE:
        fill_normal(key, epoch, row, 0, 0, noise)
        out[:] = clean + corruption.level * _float64(noise)
        return
    fill_uniform(key, epoch, row, 0, 0, noise)
    hit = noise < cast(corruption.level)
    if corruption.kind == NO_CORRUPTION:
        out[:] = clean
    elif corruption.kind == MASKING:
        out[:] = np.where(hit, 0, clean)
    else:
        fill_uniform(key, epoch, row, 1, 0, noise)
        out[:] = np.where(hit, np.where(noise < cast(0.5), cast(corruption.low), cast(corruption.high)), clean)


def load_row(samples, index, out):
    dtype = {UINT8: np.uint8, FLOAT32: np.float32, FLOAT64: np.float64}[samples.dtype_code]
    raw = np.frombuffer(samples.bytes[index].tobytes(), dtype)
    out[:] = _float64(raw) * samples.scale + samples.offset


def load_rows(samples, positions, out):
    for row, position in zip(out, positions, strict=True):
        load_row(samples, position, row)


def load_batch(samples, positions, row_ids, corruption, key, epoch, clean, corrupted):
    for r, (position, row_id) in enumerate(zip(positions, row_ids, strict=True)):
        load_row(samples, position, clean[r])
        corrupt(corruption, key, epoch, row_id, clean[r], corrupted[r])


# ---- products --------------------------------------------------------------------------------------------------------


def layer_forward(x, weight, transposed, bias, activation, out):
    matrix = _float64(weight.T if transposed else weight)
    out[:] = _activated(activation, x @ matrix + bias)


def layer_backward(delta, weight, transposed, below, activation, out):
    matrix = _float64(weight.T if transposed else weight)
    out[:] = delta @ matrix.T * _slope(activation, below)


def weight_gradient(x, delta, transposed, keep, out):
    product = _float64(x).T @ delta
    out[:] = (out if keep else 0) + (product.T if transposed else product)


def column_sums(x, out):
    out[:] = _float64(x).sum(axis=0)


# ---- updates ---------------------------------------------------------------------------------------------------------


def apply_update(update, step, n_weights, gradient, params, velocity, squares):
    is_weight = np.arange(params.size) < n_weights
    p, v = _float64(params), _float64(velocity)
    g = gradient + is_weight * (update.l1 * np.sign(p) + update.l2 * p)
    m, rate = update.momentum, update.learning_rate
    if update.decay_steps > 0:
        rate *= max(0, 1 - step / update.decay_steps)
    if update.optimizer == ADAM:
        velocity[:] = v = m * v + (1 - m) * g
        squares[:] = s = 0.999 * _float64(squares) + 0.001 * g**2
        unbiased_v, unbiased_s = v / (1 - m ** (step + 1)), s / (1 - 0.999 ** (step + 1))
        params[:] = p - rate * unbiased_v / (np.sqrt(unbiased_s) + 1e-8)
        return
    velocity[:] = v = m * v - rate * g
    params[:] = p + v if update.optimizer == MOMENTUM else p + m * v - rate * g


def add_penalty(params, n_weights, l1, l2, gradient):
    w = _float64(params[:n_weights])
    gradient[:n_weights] += l1 * np.sign(w) + l2 * w
    return l1 * np.abs(w).sum() + l2 / 2 * (w**2).sum()


# ---- dense networks --------------------------------------------------------------------------------------------------


def _matrix(layer, vector):
    """The matrix (n_in, n_out) that a row of the layer table applies, as a view of ``vector``."""
    n_in, n_out, _, start, _, transposed, *_ = layer
    block = vector[start : start + n_in * n_out]
    return block.reshape(n_out, n_in).T if transposed else block.reshape(n_in, n_out)


def _layer_outputs(table, params, loss, inputs, noise):
    """The input and then every layer's output; the last are logits under the cross-entropies. noise (B, K) is what codes draw."""
    values, params, drawn = [_float64(inputs)], _float64(params), 0
    for number, layer in enumerate(table):
        _, n_out, activation, _, bias, _, kind = layer
        if kind == GAUSSIAN_LAYER:
            values.append(_drawn(values[-1], noise[:, drawn : drawn + n_out]))
            drawn += n_out
            continue
        is_logit = number == len(table) - 1 and loss in (CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY)
        sums = product(values[-1], _matrix(layer, params)) + params[bias : bias + n_out]
        values.append(sums if is_logit else _activated(activation, sums))
    return values


def forward(plain, table, params, loss, inputs, noise, outputs):
    packed = np.concatenate([value.ravel() for value in _layer_outputs(table, params, loss, inputs, noise)[1:]])
    outputs[: packed.size] = packed


def infer(table, params, prepared, samples, positions, out):
    clean = np.empty((len(positions), table[0][0]), params.dtype)
    for row, position in zip(clean, positions, strict=True):
        load_row(samples, position, row)
    out[:] = _layer_outputs(table, params, SQUARED_ERROR, clean, np.zeros((len(clean), table[:, 1].sum())))[-1]


def _losses(table, params, objective, inputs, target, labels, work):
    """Outputs of all layers for a minibatch, the delta of the last, and the sums of losses and terms (2,)."""
    values = _layer_outputs(table, params, objective.loss, inputs, work.noise[: len(inputs)])
    delta, sums, emphasis = np.empty_like(values[-1]), np.zeros(2), work.emphasis[: len(inputs)]
    sums[0] = loss_and_delta(objective.loss, table[-1][2], values[-1], target, labels, emphasis, delta)
    for number in range(len(table)):
        for penalty in _penalties(table, params, objective, number, values):
            sums[1] += len(inputs) * penalty[0]
    return values, delta, sums


def _penalties(table, params, objective, number, values):
    """Value, slopes for inputs and slopes for weights of every term on a layer, times its weight."""
    for kind, strength, goal in _terms_on(objective.terms, number):
        weight = _matrix(table[number], _float64(params))
        yield [strength * part for part in _penalty(kind, table[number][2], goal, values[number + 1], weight)]


def batch_gradient(table, params, objective, inputs, target, labels, work):
    """Backpropagation; of the workspace the gradient is written, and the weights of single losses and the noise are read."""
    values, delta, sums = _losses(table, params, objective, inputs, target, labels, work)
    flat, result = _float64(params), np.zeros(params.size)
    for number in reversed(range(len(table))):
        _, n_out, _, _, bias, _, kind = table[number]
        own = list(_penalties(table, params, objective, number, values))
        delta = delta + sum(slopes for _, slopes, _ in own)
        below_activation = table[number - 1][2]  # of no layer below the first, whose delta nobody reads
        if kind == GAUSSIAN_LAYER:
            spread = np.empty_like(values[number])
            draw_backward(delta, values[number], below_activation, values[number + 1], spread)
            delta = spread
            continue
        shared = _matrix(table[number], result)
        shared += product(values[number].T, delta) + sum(weight_slopes for _, _, weight_slopes in own)
        result[bias : bias + n_out] = delta.sum(axis=0)
        delta = product(delta, _matrix(table[number], flat).T) * _slope(below_activation, values[number])
    work.gradient[:] = result
    return sums


def loss_gradient(table, params, objective, l1, l2, inputs, target, labels, work):
    sums, gradient = batch_gradient(table, params, objective, inputs, target, labels, work), _float64(work.gradient)
    penalty = add_penalty(params, objective.n_weights, l1, l2, gradient)
    work.gradient[:] = gradient
    return sums.sum() / len(inputs) + penalty


def backprop_train(
    table, params, objective, update, samples, labels, positions, row_ids, batch_size, key, epoch, step, velocity,
    squares, work,
):  # fmt: skip
    """Minibatches in order, each a gradient of its own mean loss and one update."""
    sums, own = np.zeros(2), work._replace(gradient=np.empty(params.size))
    for number, rows in enumerate(_minibatches(positions.size, batch_size)):
        batch, loaded = _loaded(
            table, params, objective, samples, labels, positions[rows], row_ids[rows], key, epoch, own
        )
        sums += batch_gradient(table, params, objective, *batch, loaded)
        apply_update(update, step + number, objective.n_weights, own.gradient, params, velocity, squares)
    return sums


def evaluate(table, params, objective, samples, labels, positions, row_ids, batch_size, key, epoch, work):
    """Losses and terms of minibatches, as training finds them."""
    sums = np.zeros(2)
    for rows in _minibatches(positions.size, batch_size):
        batch, loaded = _loaded(
            table, params, objective, samples, labels, positions[rows], row_ids[rows], key, epoch, work
        )
        sums += _losses(table, params, objective, *batch, loaded)[2]
    return sums


def _loaded(table, params, objective, samples, labels, positions, row_ids, key, epoch, work):
    """A minibatch (inputs, target, labels), and the workspace with weights of its losses and noise for its codes."""
    clean, corrupted, emphasis = np.empty((3, positions.size, table[0][0]), params.dtype)
    load_batch(samples, positions, row_ids, objective.corruption, key, epoch, clean, corrupted)
    for r, row_id in enumerate(row_ids):
        emphasis_row(objective.corruption, key, epoch, row_id, emphasis[r])
    goal = labels[positions] if objective.loss == SOFTMAX_CROSS_ENTROPY else None
    noise = _code_noise(table, objective.n_samples, key, epoch, row_ids, params.dtype)
    weights = emphasis if len(work.emphasis) else emphasis[:0]
    return (corrupted, clean, goal), work._replace(emphasis=weights, noise=noise)


def _code_noise(table, n_samples, key, epoch, row_ids, dtype):
    """What the Gaussian layers draw for the rows of a minibatch, of which every ``n_samples`` are one row of the data."""
    noise = [np.zeros((len(row_ids), 0), dtype)]
    for layer, (_, n_out, *_, kind) in enumerate(table):
        if kind == GAUSSIAN_LAYER:
            own = np.zeros((len(row_ids), n_out), dtype)
            for r, row_id in enumerate(row_ids if n_samples else ()):
                fill_normal(key, epoch, row_id, CODE_DRAW + layer + SAMPLE_STRIDE * (r % n_samples), 0, own[r])
            noise.append(own)
    return np.hstack(noise)


def _minibatches(n, batch_size):
    return np.split(np.arange(n), np.arange(batch_size, n, batch_size))


# ---- Gaussian codes --------------------------------------------------------------------------------------------------


def _drawn(below, noise):
    mean, log_variance = np.split(_float64(below), 2, axis=1)
    return mean + np.exp(np.clip(log_variance, -LIMIT, LIMIT) / 2) * noise


def draw(below, noise, out):
    out[:] = _drawn(below, noise)


def draw_backward(delta, below, activation, outputs, out):
    """z = m + exp(v / 2) e: dz/dm = 1, and dz/dv = (z - m) / 2 within the limits."""
    mean, log_variance = np.split(_float64(below), 2, axis=1)
    by_variance = np.where(np.abs(log_variance) < LIMIT, (outputs - mean) / 2, 0) * delta
    out[:] = np.hstack([delta, by_variance]) * _slope(activation, below)


def draw_codes(key, row_ids, first_draw, inputs, codes, log_weights):
    """Codes of q(z | x) and log p(z) - log q(z | x), in which the normal constants cancel."""
    n_draws, noise = len(codes) // len(inputs), np.empty_like(codes)
    for i in range(len(codes)):
        fill_normal(key, first_draw + i % n_draws, row_ids[i // n_draws], 0, 0, noise[i])
    below = np.repeat(inputs, n_draws, axis=0)
    codes[:] = _drawn(below, noise)
    spread = np.clip(_float64(below)[:, codes.shape[1] :], -LIMIT, LIMIT)
    log_weights[:] = (-(_float64(codes) ** 2) / 2 + _float64(noise) ** 2 / 2 + spread / 2).sum(axis=1)


def add_log_likelihoods(loss, activation, outputs, target, log_weights):
    goals = np.repeat(target, len(outputs) // len(target), axis=0)
    for r in range(len(outputs)):
        empty, delta = outputs[:0], np.empty_like(outputs[:1])
        log_weights[r] -= loss_and_delta(loss, activation, outputs[r : r + 1], goals[r : r + 1], None, empty, delta)


def add_exponentials(log_weights, peaks, sums):
    """sum exp(w) = sums exp(peaks), the peak being the largest w so far."""
    weights = log_weights.reshape(len(peaks), -1)
    new = np.maximum(peaks, weights.max(axis=1))
    sums[:] = sums * np.exp(peaks - new) + np.exp(weights - new[:, None]).sum(axis=1)
    peaks[:] = new


# ---- sparsity --------------------------------------------------------------------------------------------------------


def follow_activity(machine, step, mean, activity, slope):
    """An exponential running mean that starts at its first value, and the slope of cost * (mean - target) (Hinton 2010)."""
    old = _float64(activity)
    activity[:] = machine.sparsity_decay * old + (1 - machine.sparsity_decay) * _float64(mean) if step else mean
    slope[:] = machine.sparsity_weight * (_float64(activity) - machine.sparsity_target)


# ---- restricted Boltzmann machines -----------------------------------------------------------------------------------


def _machine_parts(machine, params):
    """W (V, H), hidden biases (H,), visible biases (V,) in float64."""
    n_visible, n_hidden = machine.n_visible, machine.n_hidden
    weight, hidden_bias, visible_bias = np.split(_float64(params), [n_visible * n_hidden, (n_visible + 1) * n_hidden])
    return weight.reshape(n_visible, n_hidden), hidden_bias, visible_bias


def _noise(fill, key, epoch, row_ids, draw, like, first_column):
    noise = np.empty_like(like)
    for r, row_id in enumerate(row_ids):
        fill(key, epoch, row_id, draw, first_column, noise[r])
    return noise


def _mean_and_sample(kind, a, key, epoch, row_ids, draw, dtype, first_column=0):
    """Mean and sample of units with pre-activations ``a`` (B, n); rectified ones as in Nair & Hinton 2010, section 2."""
    mean = _activated(kind, a).astype(dtype)
    if kind == BERNOULLI:
        return mean, (_noise(fill_uniform, key, epoch, row_ids, draw, mean, first_column) < mean).astype(dtype)
    noise = _float64(_noise(fill_normal, key, epoch, row_ids, draw, mean, first_column))
    if kind == GAUSSIAN:
        return mean, (a + noise).astype(dtype)
    return mean, np.maximum(0, a + noise * np.sqrt(_activated(SIGMOID, a))).astype(dtype)


def sample_layer(x, weight, transposed, bias, kind, key, epoch, row_ids, draw, mean, sample):
    a = x @ _float64(weight.T if transposed else weight) + bias
    mean[:], sample[:] = _mean_and_sample(kind, a, key, epoch, row_ids, draw, mean.dtype)


def statistics(machine, visible, hidden, out):
    v, h = _float64(visible), _float64(hidden)
    products = product(v.T, h) / len(v)
    out[:] = np.concatenate([products.ravel(), h.mean(axis=0), v.mean(axis=0)])


def divergence_gradient(machine, params, key, chain_key, epoch, step, data, row_ids, carried, work):
    """<v h> of the model's side minus <v h> of the data's side (Hinton 2002; Tieleman 2008 for persistent chains)."""
    (weight, hidden_bias, visible_bias), chains = _machine_parts(machine, params), carried.chains

    def hidden_given(v, *where):
        return _mean_and_sample(machine.hidden, product(v, weight) + hidden_bias, *where, params.dtype)

    def visible_given(h, *where):
        return _mean_and_sample(machine.visible, product(h, weight.T) + visible_bias, *where, params.dtype)

    positive, state = hidden_given(data, key, epoch, row_ids, 0)
    data_side, model_side = np.empty((2, params.size))
    statistics(machine, data, positive - _sparsity_slope(machine, step, positive, carried.activity), data_side)
    if machine.persistent:
        reconstruction = visible_given(positive, key, epoch, row_ids, 0)[0]
        where, draw = (chain_key, step, np.arange(len(chains))), 0
        fantasy, negative, state = None, None, chains.copy()
    else:
        where, draw = (key, epoch, row_ids), 1
    for k in range(machine.k if machine.persistent else machine.k - 1):
        _, fantasy = visible_given(state, *where, draw + 2 * k)
        negative, state = hidden_given(fantasy, *where, draw + 2 * k + 1)
    if machine.persistent:
        chains[:] = state
    else:
        fantasy = reconstruction = visible_given(state, key, epoch, row_ids, 0)[0]
        negative = hidden_given(fantasy, key, epoch, row_ids, 0)[0]
    statistics(machine, fantasy, negative, model_side)
    work.gradient[:] = model_side - data_side
    return reconstruction_error(data, reconstruction)


def _sparsity_slope(machine, step, positive, activity):
    """The penalty's slope by a unit's total input in any row, which is to a gradient what so much less activity would be."""
    slope = np.zeros(machine.n_hidden)
    if machine.sparsity_target:
        follow_activity(machine, step, _float64(positive).mean(axis=0), activity, slope)
    return slope


def reconstruction_error(data, reconstruction):
    return np.sum((_float64(data) - _float64(reconstruction)) ** 2)


def rbm_train(
    machine, params, update, samples, positions, row_ids, batch_size, key, chain_key, epoch, step, carried, work,
):  # fmt: skip
    """Minibatches in order, each a gradient and one update."""
    total = 0.0
    for number, rows in enumerate(_minibatches(positions.size, batch_size)):
        data = np.empty((rows.size, machine.n_visible), params.dtype)
        for r, position in enumerate(positions[rows]):
            load_row(samples, position, data[r])
        total += divergence_gradient(
            machine, params, key, chain_key, epoch, step + number, data, row_ids[rows], carried, work
        )  # fmt: skip
        n_weights = machine.n_visible * machine.n_hidden
        apply_update(update, step + number, n_weights, work.gradient, params, carried.velocity, None)
    return total


def _free_energies(machine, params, visible):
    weight, hidden_bias, visible_bias = _machine_parts(machine, params)
    v = _float64(visible)
    a = v @ weight + hidden_bias
    if machine.hidden == BERNOULLI:
        hidden = -np.logaddexp(0, a)
    elif machine.hidden == GAUSSIAN:
        hidden = -(a**2) / 2
    else:  # binary copies of one unit, biases shifted by -1/2, -3/2, ...
        copies = np.arange(np.ceil(max(a.max(), 0)) + 60) + 0.5
        hidden = -np.logaddexp(0, a[..., None] - copies).sum(axis=-1)
    own = ((v - visible_bias) ** 2).sum(axis=1) / 2 if machine.visible == GAUSSIAN else -(v @ visible_bias)
    return own + hidden.sum(axis=1)


def free_energy(machine, params, visible, preactivation, out):
    out[:] = _free_energies(machine, params, visible)


def pseudo_likelihood(machine, params, visible, preactivation, out):
    """log p(v_i | rest) = -log(1 + exp(F(v) - F(v with bit i flipped)))."""
    energy = _free_energies(machine, params, visible)
    for r in range(visible.shape[0]):
        flipped = np.abs(visible[r] - np.eye(visible.shape[1], dtype=visible.dtype))  # row i: bit i is the other one
        out[r] = -np.logaddexp(0, energy[r] - _free_energies(machine, params, flipped)).sum()


_TWINS_OF = {
    "random": (philox, fill_uniform, fill_normal, fill_uniform_matrix, fill_normal_matrix, shuffle),
    "activations": (activate, differentiate),
    "activity": (follow_activity,),
    "losses": (squared_error, cross_entropy, softmax_cross_entropy, loss_and_delta),
    "corruption": (corrupt, draw_binary, emphasis_row),
    "samples": (load_row, load_rows, load_batch),
    "blas": (layer_forward, layer_backward, weight_gradient, column_sums),
    "updates": (apply_update, add_penalty),
    "gaussian": (draw, draw_backward),
    "likelihood": (draw_codes, add_log_likelihoods, add_exponentials),
    "backprop": (forward, infer, batch_gradient, loss_gradient, backprop_train, evaluate),
    "rbm": (
        sample_layer,
        statistics,
        divergence_gradient,
        reconstruction_error,
        rbm_train,
        free_energy,
        pseudo_likelihood,
    ),
}
TWINS = {
    f"{module}.{twin.__name__.removeprefix(module + '_')}": twin
    for module, twins in _TWINS_OF.items()
    for twin in twins
}
