"""The networks on maps that benchmarks and experiments train: convolutional ones that others published."""

from stacked.layers import GRU, LSTM, Convolution, Dense, Layer, Pooling

MNIST = (28, 28, 1)


def keras_blog() -> tuple[Layer, ...]:
    """The convolutional autoencoder of the Keras blog: 16, 8 and 8 filters of 3 x 3 with pooling, mirrored, 128 codes."""
    layers: list[Layer] = []
    shape, pools = MNIST, []
    for filters in (16, 8, 8):
        layers.append(Convolution.on(shape, filters, 3))
        pools.append(Pooling.on(layers[-1].shape_out, 2))
        layers.append(pools[-1])
        shape = pools[-1].shape_out
    for filters, pool in zip((8, 8, 16), reversed(pools), strict=True):
        layers.append(Convolution.on(shape, filters, 3))
        layers.append(Pooling.on((*pool.shape_in[:2], filters), 2).upsampling())
        shape = layers[-1].shape_out
    return (*layers, Convolution.on(shape, 1, 3, activation="sigmoid"))


def clustering() -> tuple[Layer, ...]:
    """The autoencoder of Guo et al. 2017, "Deep clustering with convolutional autoencoders": strides, 10 codes."""
    first = Convolution.on(MNIST, 32, 5, 2)
    second = Convolution.on(first.shape_out, 64, 5, 2)
    third = Convolution.on(second.shape_out, 128, 3, 2, "valid")
    return (
        first, second, third, Dense(third.n_out, 10, "linear"), Dense(10, third.n_out, "relu"), third.mirror("relu"),
        second.mirror("relu"), first.mirror("linear"),
    )  # fmt: skip


def states(cell: str, n_steps: int, width: int, n_hidden: int = 128) -> tuple[Layer, ...]:
    """A recurrent layer with a code a step, and a dense layer over time back: what a recurrent autoencoder is made of."""
    kind = {"gru": GRU, "lstm": LSTM}[cell]
    encoder = kind.on((1, n_steps, width), n_hidden)
    return encoder, Convolution.on(encoder.shape_out, width, 1, activation="linear")
