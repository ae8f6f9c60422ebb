"""Layers on maps as direct loops in NumPy, and the answer of a model file by h5py alone. Nothing of the project is imported.

A map is (height, width, channels). Formulas are those of the layers' documentation, number by number.
"""

import h5py
import numpy as np

ACTIVATIONS = {
    "linear": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.logaddexp(0, x),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
}


def convolve(x, weight, bias, stride, pad, shape):
    """(shape, filters): every place of the kernel (p, q, c, f) over x (height, width, c), which is 0 outside."""
    out = np.tile(np.asarray(bias, np.float64), (*shape, 1))
    for i, j in np.ndindex(*shape):
        for p, q in np.ndindex(*weight.shape[:2]):
            y, z = i * stride[0] + p - pad[0], j * stride[1] + q - pad[1]
            if 0 <= y < x.shape[0] and 0 <= z < x.shape[1]:
                out[i, j] += x[y, z] @ weight[p, q]
    return out


def convolve_transposed(x, weight, bias, stride, pad, shape):
    """(shape, channels): every pixel of x (height, width, f) spread by the kernel (p, q, c, f); what falls outside is lost."""
    out = np.tile(np.asarray(bias, np.float64), (*shape, 1))
    for i, j in np.ndindex(*x.shape[:2]):
        for p, q in np.ndindex(*weight.shape[:2]):
            y, z = i * stride[0] + p - pad[0], j * stride[1] + q - pad[1]
            if 0 <= y < shape[0] and 0 <= z < shape[1]:
                out[y, z] += weight[p, q] @ x[i, j]
    return out


def pool(x, window):
    """Largest number of each window and channel, and its place (row, column) in x, the first of equal ones."""
    height, width, channels = x.shape
    shape = (-(-height // window[0]), -(-width // window[1]), channels)
    out, places = np.full(shape, -np.inf), np.zeros((*shape, 2), int)
    for y, z, c in np.ndindex(*x.shape):
        i, j = y // window[0], z // window[1]
        if x[y, z, c] > out[i, j, c]:
            out[i, j, c], places[i, j, c] = x[y, z, c], (y, z)
    return out, places


def upsample(x, window, shape):
    """Every pixel (row, column) of the shape is that of x in whose window it lies."""
    out = np.empty((*shape, x.shape[2]))
    for y, z in np.ndindex(*shape):
        out[y, z] = x[y // window[0], z // window[1]]
    return out


def unpool(x, places, shape):
    """Every number of x at its place in a map of the shape, zeros elsewhere."""
    out = np.zeros((*shape, x.shape[2]))
    for i, j, c in np.ndindex(*x.shape):
        out[(*places[i, j, c], c)] = x[i, j, c]
    return out


def answer(layers, row):
    """What layers answer to one row (V,): each is (kind, attributes, arrays), as a file has them."""
    places, value = {}, np.asarray(row, np.float64)
    for index, (kind, sizes, arrays) in enumerate(layers):
        value, places[index] = _answered(kind, sizes, arrays, value, places)
        value = ACTIVATIONS[sizes.get("activation", "linear")](value)
    return value.ravel()


def _answered(kind, sizes, arrays, value, places):
    """A layer's outputs before the activation, and the places that a pooling layer found."""
    if kind == "dense":
        return value.ravel() @ arrays["weight"] + arrays["bias"], None
    x = value.reshape(sizes["height"], sizes["width"], sizes["channels"])
    shape, window = (sizes["out_height"], sizes["out_width"]), (sizes["kernel_height"], sizes["kernel_width"])
    if kind == "pooling":
        return pool(x, window)
    if kind == "upsampling":
        return upsample(x, window, shape), None
    if kind == "unpooling":
        return unpool(x, places[sizes["partner"]], shape), None
    step = {"convolution": convolve, "transposed_convolution": convolve_transposed}[kind]
    stride, pad = (sizes["stride_height"], sizes["stride_width"]), (sizes["pad_top"], sizes["pad_left"])
    return step(x, arrays["weight"].astype(np.float64), arrays["bias"], stride, pad, shape), None


def answer_of_file(path, rows):
    """Reconstructions, or class probabilities, (n, n_out) in scaled units that a model file gives for raw rows (n, V)."""
    with h5py.File(path) as file:
        groups = [file[part][str(i)] for part in ("encoder", "decoder") if part in file for i in range(len(file[part]))]
        groups += [file["head"]] if "head" in file else []
        layers = [_layer(group) for group in groups]
        scaled = rows * file["input/scale"][:] + file["input/offset"][:]
    return np.array([answer(layers, row) for row in scaled])


def _layer(group):
    attributes = {name: value.decode() if isinstance(value, bytes) else value for name, value in group.attrs.items()}
    arrays = {name: item[:] for name, item in group.items()}
    return attributes.pop("kind"), attributes, arrays
