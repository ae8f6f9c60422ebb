"""Real images, where they are there: from the IDX files to a unit that has learnt them, without a copy of the data."""

import numpy as np

from stacked import RBM, StackedAutoencoder, open_data


def test_a_stack_learns_mnist_from_its_idx_files(mnist):
    train = open_data(str(mnist / "train-images-idx3-ubyte.gz"))
    test = open_data(str(mnist / "t10k-images-idx3-ubyte.gz"), str(mnist / "t10k-labels-idx1-ubyte.gz"))
    assert (train.n_rows, train.sample_shape, train.dtype) == (60000, (28, 28), np.uint8)
    assert np.bincount(test.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    units = [RBM(256, epochs=2), RBM(30, hidden="gaussian", learning_rate=0.001, epochs=2)]
    deep = StackedAutoencoder(units, finetune_epochs=1, random_state=0).fit(train)
    assert train.array.dtype == np.uint8
    assert -deep.score(test) < 13.87  # PCA with 30 components
