"""Seconds of training for a 784-1000-500-250-30 autoencoder of MNIST, beside the same recipe in PyTorch, and the errors they reach.

RBM pretraining (CD-1, 5 epochs a layer), then Adam on the cross-entropy with a rate that falls linearly to zero over 30
epochs of fine-tuning; minibatches of 100. PyTorch's part is written in place, as in ``torch_peers``, and runs in float32 and in its
oneDNN mode (bfloat16 products on a CPU with AMX, float32 elsewhere), and in bfloat16 by casts and autocast; eager, one run each.

    python benchmarks/time_to_error.py [FOLDER WITH MNIST'S IDX FILES] [--finetune-epochs 30] [--threads 2]
"""

import argparse
import time
from pathlib import Path

import numpy as np
from llvmlite.binding import get_host_cpu_name

from stacked import RBM, StackedAutoencoder, open_data
from stacked.kernels.engine.bfloat16 import obstacle

HERE = Path(__file__).resolve().parent
SIZES = (784, 1000, 500, 250, 30)
EPOCHS, BATCH, MOMENTUM, DECAY, ADAM = 5, 100, 0.9, 2e-4, 0.001
RATES = (0.1, 0.1, 0.1, 0.001)  # of the four RBMs; the last has Gaussian hidden units


def ours(
    train: np.ndarray, test: np.ndarray, epochs: int, threads: int, precision: str = "float32"
) -> tuple[float, float]:
    """Seconds of training and squared error per test image."""
    units = [
        RBM(n, hidden="bernoulli" if n > 30 else "gaussian", learning_rate=rate, momentum=MOMENTUM, weight_decay=DECAY,
            epochs=EPOCHS, batch_size=BATCH)
        for n, rate in zip(SIZES[1:], RATES, strict=True)
    ]  # fmt: skip
    deep = StackedAutoencoder(
        units,
        finetune_epochs=epochs,
        finetune_batch_size=BATCH,
        finetune_learning_rate=ADAM,
        precision=precision,
        n_threads=threads,
        random_state=0,
    )
    started = time.perf_counter()
    deep.fit(train)
    seconds = time.perf_counter() - started
    return seconds, float(((deep.reconstruct(test) - test.astype(np.float32)) ** 2).sum(axis=1).mean() / 255**2)


def in_torch(
    train: np.ndarray, test: np.ndarray, epochs: int, threads: int, bfloat16: bool = False
) -> tuple[float, float]:
    """The same in PyTorch."""
    import torch
    import torch_peers as peers

    torch.manual_seed(0)
    torch.set_num_threads(threads)
    rng, started = np.random.default_rng(0), time.perf_counter()
    data = train.astype(np.float32) / 255
    weights, biases, down = [], [], []
    for n_in, n_out, rate in zip(SIZES, SIZES[1:], RATES, strict=False):
        W = (0.01 * rng.standard_normal((n_in, n_out))).astype(np.float32)
        settings = {"rate": rate, "momentum": MOMENTUM, "decay": DECAY, "gaussian": n_out == 30}
        W, b, c = peers.pretrain(data, W, BATCH, **settings, epochs=EPOCHS, bfloat16=bfloat16)
        codes = data @ W + b
        data = codes if n_out == 30 else 1 / (1 + np.exp(-codes))
        weights.append(W)
        biases.append(b)
        down.append(c)
    everything = weights + [W.T.copy() for W in reversed(weights)]
    rows = train.astype(np.float32) / 255
    answer = peers.finetune(rows, everything, biases + down[::-1], 3, BATCH, epochs, ADAM, bfloat16)
    seconds = time.perf_counter() - started
    target = test.astype(np.float32) / 255
    return seconds, float(((answer(target) - target) ** 2).sum(axis=1).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=HERE.parent.parent / "shared" / "data" / "mnist")
    parser.add_argument("--finetune-epochs", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    train, test = (open_data(str(options.folder / f"{part}-images-idx3-ubyte.gz")).array for part in ("train", "t10k"))
    ours(train[:200], test[:10], 1, options.threads)  # compiles, if need be
    from torch_peers import in_onednn

    print(f"{get_host_cpu_name()}, {options.threads} threads")
    seconds = {}
    given = (train, test, options.finetune_epochs, options.threads)
    ways = {
        "ours": lambda: ours(*given),
        "ours, bfloat16": lambda: ours(*given, "bfloat16"),
        "torch": lambda: in_torch(*given),
        "torch, oneDNN": in_onednn(lambda: in_torch(*given)),
        "torch, bfloat16": lambda: in_torch(*given, True),
    }
    for name in ways if obstacle() is None else [name for name in ways if name != "ours, bfloat16"]:
        seconds[name], error = ways[name]()
        print(f"{name}: {seconds[name]:.1f} s, squared error per test image {error:.3f}", flush=True)
    print(f"ratio, float32, PyTorch as installed: {seconds['torch'] / seconds['ours']:.2f}")
    print(f"ratio, float32, PyTorch's best: {min(seconds['torch'], seconds['torch, oneDNN']) / seconds['ours']:.2f}")
    if "ours, bfloat16" in seconds:
        best = min(value for name, value in seconds.items() if name.startswith("torch"))
        print(f"ratio, bfloat16, PyTorch's best of all: {best / seconds['ours, bfloat16']:.2f}")


if __name__ == "__main__":
    main()
