"""The benchmarks' work in PyTorch, written as well as we can: in place, gradients accumulated into the velocities, no ``.item()``.

Every maker returns a function of one pass over the rows X (N, V) float32 in minibatches of ``batch_size``. ``noise``, if given,
is called for the uniform numbers of a minibatch, so that results can be compared with ours; without it PyTorch draws them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

LEARNING_RATE, MOMENTUM = 0.1, 0.5
LEAST_MEAN = 1e-3  # of a unit, and as far from 1 at most, where its bias starts


def _compiled(step: Callable, compile_it: bool) -> Callable:
    return torch.compile(step, dynamic=False) if compile_it else step


def rbm(
    X: np.ndarray, W: np.ndarray, batch_size: int, noise: Callable | None = None, compile_it: bool = False,
    bfloat16: bool = False,
):  # fmt: skip
    """CD-1 with momentum and weight decay, hidden states sampled; W (V, H) is updated and returned.

    With ``bfloat16`` every operand is cast once a minibatch, as autocast does it.
    """
    X, W = torch.from_numpy(X), torch.from_numpy(W.copy())
    V, H = W.shape
    b, c = torch.zeros(H), torch.zeros(V)
    vW, vb, vc = torch.zeros_like(W), torch.zeros_like(b), torch.zeros_like(c)
    h0, h1, s = (torch.empty(batch_size, H) for _ in range(3))
    v1 = torch.empty(batch_size, V)
    rate, m, decay = LEARNING_RATE / batch_size, MOMENTUM, 2e-4

    def step(v0, u, error):
        torch.addmm(b, v0, W, out=h0).sigmoid_()
        torch.lt(u, h0, out=s)
        torch.addmm(c, s, W.t(), out=v1).sigmoid_()
        torch.addmm(b, v1, W, out=h1).sigmoid_()
        vW.addmm_(v0.t(), h0, beta=m, alpha=rate).addmm_(v1.t(), h1, alpha=-rate).add_(W, alpha=-LEARNING_RATE * decay)
        W.add_(vW)
        d = v0 - v1
        vc.mul_(m).add_(d.sum(0), alpha=rate)
        vb.mul_(m).add_(h0.sub_(h1).sum(0), alpha=rate)
        b.add_(vb)
        c.add_(vc)
        error += d.square_().sum()

    def finish(v0, v1, p0, p1, error):
        d = v0 - v1
        vc.mul_(m).add_(d.sum(0), alpha=rate)
        vb.mul_(m).add_((p0 - p1).sum(0), alpha=rate)
        b.add_(vb)
        c.add_(vc)
        error += d.square().sum()

    def functional(v0, u, error):  # what the compiler likes better
        p0 = torch.sigmoid(torch.addmm(b, v0, W))
        v1 = torch.sigmoid(torch.addmm(c, (u < p0).float(), W.t()))
        p1 = torch.sigmoid(torch.addmm(b, v1, W))
        vW.addmm_(v0.t(), p0, beta=m, alpha=rate).addmm_(v1.t(), p1, alpha=-rate).add_(W, alpha=-LEARNING_RATE * decay)
        W.add_(vW)
        finish(v0, v1, p0, p1, error)

    def casting(v0, u, error):
        half = torch.bfloat16
        Wh, x = W.to(half), v0.to(half)
        p0 = torch.sigmoid(torch.mm(x, Wh).float() + b)
        v1 = torch.sigmoid(torch.mm((u < p0).to(half), Wh.t()).float() + c)
        y = v1.to(half)
        p1 = torch.sigmoid(torch.mm(y, Wh).float() + b)
        vW.mul_(m).add_(torch.mm(x.t(), p0.to(half)), alpha=rate).add_(torch.mm(y.t(), p1.to(half)), alpha=-rate)
        W.add_(vW.add_(W, alpha=-LEARNING_RATE * decay))
        finish(v0, v1, p0, p1, error)

    one = _compiled(casting if bfloat16 else functional if compile_it else step, compile_it)
    u = torch.empty(batch_size, H)

    @torch.no_grad()
    def run():
        error = torch.zeros(())
        for start in range(0, len(X) - batch_size + 1, batch_size):
            drawn = torch.rand(batch_size, H, out=u) if noise is None else torch.from_numpy(noise(start, batch_size, H))
            one(X[start : start + batch_size], drawn, error)
        return W.numpy(), error.item()

    return run


def denoising(
    X: np.ndarray, W1: np.ndarray, W2: np.ndarray, batch_size: int, noise: Callable | None = None,
    compile_it: bool = False, autocast: bool = False,
):  # fmt: skip
    """Denoising autoencoder, masking 0.25, sigmoid, cross-entropy, momentum; W1 (V, H), W2 (H, V) are updated and returned."""
    X, W1, W2 = torch.from_numpy(X), torch.from_numpy(W1.copy()), torch.from_numpy(W2.copy())
    V, H = W1.shape
    b, c = torch.zeros(H), torch.zeros(V)
    v1, v2, vb, vc = (torch.zeros_like(t) for t in (W1, W2, b, c))
    corrupted, logits = torch.empty(batch_size, V), torch.empty(batch_size, V)
    h, dh = torch.empty(batch_size, H), torch.empty(batch_size, H)
    rate, m = LEARNING_RATE / batch_size, MOMENTUM
    entropy = torch.nn.functional.binary_cross_entropy_with_logits

    def update(x, h, d, dh):
        v2.addmm_(h.t(), d, beta=m, alpha=-rate)
        v1.addmm_(x.t(), dh, beta=m, alpha=-rate)
        W2.add_(v2)
        W1.add_(v1)
        vc.mul_(m).add_(d.sum(0), alpha=-rate)
        vb.mul_(m).add_(dh.sum(0), alpha=-rate)
        b.add_(vb)
        c.add_(vc)

    def step(x, u, error):
        torch.ge(u, 0.25, out=corrupted).mul_(x)
        torch.addmm(b, corrupted, W1, out=h).sigmoid_()
        torch.addmm(c, h, W2, out=logits)
        error += entropy(logits, x, reduction="sum")
        d = logits.sigmoid_().sub_(x)
        torch.mm(d, W2.t(), out=dh).mul_(h).mul_(1 - h)
        update(corrupted, h, d, dh)

    def functional(x, u, error):
        noisy = x * (u >= 0.25)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            h = torch.sigmoid(torch.addmm(b, noisy, W1))
            a = torch.addmm(c, h, W2).float()
        error += entropy(a, x, reduction="sum")
        d, h = torch.sigmoid(a) - x, h.float()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            dh = torch.mm(d, W2.t()).float() * (h * (1 - h))
            update(noisy, h, d, dh)

    one = _compiled(functional, compile_it) if compile_it or autocast else step
    u = torch.empty(batch_size, V)

    @torch.no_grad()
    def run():
        error = torch.zeros(())
        for start in range(0, len(X) - batch_size + 1, batch_size):
            drawn = torch.rand(batch_size, V, out=u) if noise is None else torch.from_numpy(noise(start, batch_size, V))
            one(X[start : start + batch_size], drawn, error)
        return W1.numpy(), error.item()

    return run


def deep(
    X: np.ndarray, weights: list[np.ndarray], linear: int, batch_size: int, compile_it: bool = False,
    autocast: bool = False, rate: float = 0.001,
):  # fmt: skip
    """Fine-tuning of a deep autoencoder by cross-entropy and Adam (fused); sigmoid layers but ``linear``, the code."""
    X = torch.from_numpy(X)
    layers = torch.nn.ModuleList(torch.nn.Linear(*W.shape) for W in weights)
    for layer, W in zip(layers, weights, strict=True):
        layer.weight.data[:] = torch.from_numpy(W.T.copy())
        layer.bias.data.zero_()
    optimizer = torch.optim.Adam(layers.parameters(), lr=rate, fused=True)

    def loss(x):
        y = x
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            for index, layer in enumerate(layers):
                y = layer(y)
                if index < len(layers) - 1 and index != linear:
                    y = torch.sigmoid(y)
        return torch.nn.functional.binary_cross_entropy_with_logits(y.float(), x, reduction="sum") / len(x)

    one = _compiled(loss, compile_it)

    def run():
        error = torch.zeros(())
        for start in range(0, len(X) - batch_size + 1, batch_size):
            value = one(X[start : start + batch_size])
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
            error += value.detach() * batch_size
        return layers[0].weight.detach().numpy().T, error.item()

    run.layers = layers
    return run


def encode(
    X: np.ndarray, weights: list[np.ndarray], compile_it: bool = False, bfloat16: bool = False, chunk: int = 4096
):
    """Codes of uint8 rows, scaled to [0, 1], through sigmoid layers, the last linear; with ``bfloat16`` all in that type."""
    X, kind = torch.from_numpy(X), torch.bfloat16 if bfloat16 else torch.float32
    weights = [torch.from_numpy(W.copy()).to(kind) for W in weights]
    biases = [torch.zeros(W.shape[1], dtype=kind) for W in weights]

    def forward(rows):
        y = rows.float().mul_(1 / 255).to(kind)
        for W, b in zip(weights[:-1], biases, strict=False):
            y = torch.sigmoid(torch.addmm(b, y, W))
        return torch.addmm(biases[-1], y, weights[-1]).float()

    one = _compiled(forward, compile_it)

    @torch.no_grad()
    def run():
        codes = torch.empty(len(X), weights[-1].shape[1])
        for start in range(0, len(X), chunk):
            codes[start : start + chunk] = one(X[start : start + chunk])
        return codes.numpy(), 0.0

    return run


@contextmanager
def onednn() -> Iterator[None]:
    """PyTorch's mode in which float32 products may be computed from bfloat16 operands, by oneDNN.

    Where oneDNN finds that not worth its while (without AMX) it multiplies in float32, which `onednn_mode` tells.
    """
    settings = torch.backends.mkldnn.matmul
    before, settings.fp32_precision = settings.fp32_precision, "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


def in_onednn(run: Callable) -> Callable:
    """The same pass in that mode."""

    def inside():
        with onednn():
            return run()

    return inside


def onednn_mode() -> str:
    """What that mode is on this CPU, from its error: "bf16 products", or "oneDNN" for float32."""
    x, w = torch.rand(200, 784), torch.rand(784, 300)
    with onednn():
        error = (torch.mm(x, w).double() - x.double() @ w.double()).abs().max() / 196
    return "bf16 products" if error > 1e-4 else "oneDNN"


def pretrain(
    X: np.ndarray,
    W: np.ndarray,
    batch_size: int,
    rate: float,
    momentum: float,
    decay: float,
    gaussian: bool,
    epochs: int,
    bfloat16: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """An RBM by CD-1 on shuffled rows in [0, 1], hidden units binary or Gaussian: weights, hidden and visible biases.

    Visible biases start at the log odds of the units' means (Hinton 2010, section 8). With ``bfloat16`` every operand is
    cast once a minibatch.
    """
    X, W = torch.from_numpy(X), torch.from_numpy(W.copy())
    (V, H), n = W.shape, batch_size
    b, c = torch.zeros(H), torch.logit(X.mean(0), LEAST_MEAN)
    vW, vb, vc = torch.zeros_like(W), torch.zeros_like(b), torch.zeros_like(c)
    h0, h1, s, v1 = torch.empty(n, H), torch.empty(n, H), torch.empty(n, H), torch.empty(n, V)
    kind = torch.bfloat16 if bfloat16 else torch.float32
    with torch.no_grad():
        for _ in range(epochs):
            order = torch.randperm(len(X))
            for start in range(0, len(X) - n + 1, n):
                v0, Wh = X[order[start : start + n]], W.to(kind)
                x = v0.to(kind)
                torch.add(b, torch.mm(x, Wh), out=h0)
                if gaussian:
                    torch.randn(n, H, out=s).add_(h0)
                else:
                    torch.lt(torch.rand(n, H, out=s), h0.sigmoid_(), out=s)
                torch.add(c, torch.mm(s.to(kind), Wh.t()), out=v1).sigmoid_()
                y = v1.to(kind)
                torch.add(b, torch.mm(y, Wh), out=h1)
                if not gaussian:
                    h1.sigmoid_()
                if bfloat16:
                    vW.mul_(momentum).add_(torch.mm(x.t(), h0.to(kind)), alpha=rate / n)
                    vW.add_(torch.mm(y.t(), h1.to(kind)), alpha=-rate / n)
                else:
                    vW.addmm_(v0.t(), h0, beta=momentum, alpha=rate / n).addmm_(v1.t(), h1, alpha=-rate / n)
                W.add_(vW.add_(W, alpha=-rate * decay))
                vb.mul_(momentum).add_(h0.sub_(h1).sum(0), alpha=rate / n)
                vc.mul_(momentum).add_(v0.sub_(v1).sum(0), alpha=rate / n)
                b.add_(vb)
                c.add_(vc)
    return W.numpy(), b.numpy(), c.numpy()


def finetune(
    X: np.ndarray,
    weights: list[np.ndarray],
    biases: list[np.ndarray],
    linear: int,
    batch_size: int,
    epochs: int,
    rate: float,
    autocast: bool = False,
) -> Callable[[np.ndarray], np.ndarray]:
    """Adam on the cross-entropy, the rate falling linearly to zero; afterwards: reconstructions of rows."""
    run = deep(X, weights, linear, batch_size, rate=rate)
    for layer, bias in zip(run.layers, biases, strict=True):
        layer.bias.data[:] = torch.from_numpy(bias)
    optimizer, X = torch.optim.Adam(run.layers.parameters(), lr=rate, fused=True), torch.from_numpy(X)
    steps = len(X) // batch_size
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: max(0.0, 1 - step / (epochs * steps)))

    def logits(x):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            for index, layer in enumerate(run.layers):
                x = layer(x)
                if index < len(run.layers) - 1 and index != linear:
                    x = torch.sigmoid(x)
        return x.float()

    for _ in range(epochs):
        order = torch.randperm(len(X))
        for start in range(0, steps * batch_size, batch_size):
            x = X[order[start : start + batch_size]]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits(x), x, reduction="sum") / batch_size
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        return lambda rows: torch.sigmoid(logits(torch.from_numpy(rows))).detach().numpy()
