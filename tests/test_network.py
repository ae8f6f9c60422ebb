"""The dense network on its flat vector: views, ties, blocks, answers, losses of some rows; networks grown from others."""

import numpy as np
import pytest

from stacked import DataError, SettingError, network
from stacked.data import ArrayRows
from stacked.layers import Dense
from stacked.network import Network

LAYERS = (Dense(5, 4, "sigmoid"), Dense(4, 3, "tanh"), Dense(3, 4, "linear", 1), Dense(4, 5, "sigmoid"))
X = np.random.default_rng(0).random((23, 5))
ROWS = ArrayRows(X)
SUBSETS = (None, np.arange(23), np.array([0]), np.array([3, 4, 22]), np.array([6, 7, 13, 14, 20, 21]))


@pytest.fixture
def net():
    """A network of four layers, the third tied to the second, with parameters 0, 1/100, 2/100, ..."""
    made = Network.zeros(LAYERS, "float64")
    made.params[:] = np.arange(len(made.params)) / 100 - 0.3
    return made


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of seven rows: four of them, the last one short."""
    monkeypatch.setattr(network, "BLOCK_ROWS", 7)
    monkeypatch.setattr(network, "_ANSWERED_ROWS", 7)


def _by_hand(net, x, first=0, last=None):
    functions = {"sigmoid": lambda a: 1 / (1 + np.exp(-a)), "tanh": np.tanh, "linear": lambda a: a}
    for index in range(first, len(net.layers) if last is None else last):
        x = functions[net.layers[index].activation](x @ net.weight(index) + net.bias(index))
    return x


def test_weights_come_first_and_biases_after_them_and_tied_layers_share(net):
    assert net.n_weights == 20 + 12 + 20 and len(net.params) == 52 + 4 + 3 + 4 + 5
    np.testing.assert_array_equal(net.weight(0), net.params[:20].reshape(5, 4))
    np.testing.assert_array_equal(net.weight(1), net.params[20:32].reshape(4, 3))
    np.testing.assert_array_equal(net.weight(2), net.weight(1).T)
    np.testing.assert_array_equal(net.weight(3), net.params[32:52].reshape(4, 5))
    starts = (52, 56, 59, 63)
    for index, start in enumerate(starts):
        np.testing.assert_array_equal(net.bias(index), net.params[start : start + LAYERS[index].n_out])
        assert np.shares_memory(net.weight(index), net.params) and np.shares_memory(net.bias(index), net.params)
    with pytest.raises(ValueError, match="expected 68 parameters"):
        Network(LAYERS, net.params[:-1])


@pytest.mark.parametrize(("first", "last"), [(0, None), (0, 2), (1, 3), (2, None), (3, 4)])
def test_answers_are_those_of_the_chosen_layers(first, last, net):
    x = np.random.default_rng(1).random((23, LAYERS[first].n_in))
    found = net.apply(ArrayRows(x), 0.5, -0.25, first, last)
    np.testing.assert_allclose(found, _by_hand(net, 0.5 * x - 0.25, first, last), rtol=1e-12)
    np.testing.assert_array_equal(net.answerer(first, last).block(x[:9], 0.5, -0.25), found[:9])


def test_rows_of_another_width_are_refused(net):
    for call in (
        lambda: net.apply(ArrayRows(X), first=1),
        lambda: net.loss(ArrayRows(X[:, :4]), 1, 0, "squared_error"),
    ):
        with pytest.raises(DataError, match="features"):
            call()


@pytest.mark.parametrize("subset", SUBSETS)
def test_blocks_hold_the_members_of_the_subset_scaled(subset, net):
    chosen = np.arange(23) if subset is None else subset
    starts, blocks = zip(*net.blocks(ROWS, 2.0, 1.0, subset), strict=True)
    np.testing.assert_allclose(np.concatenate(blocks), 2 * X[chosen] + 1, rtol=1e-12)
    assert list(starts) == sorted({7 * (i // 7) for i in chosen.tolist()})
    assert [len(block) for block in blocks] == [int((chosen // 7 == start // 7).sum()) for start in starts]


def _mean_loss(loss, x, r, labels):
    if loss == "squared_error":
        return ((x - r) ** 2).sum(1).mean()
    if loss == "cross_entropy":
        return -(x * np.log(r) + (1 - x) * np.log1p(-r)).sum(1).mean()
    return -np.log(r[np.arange(len(r)), labels]).mean()


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
def test_the_loss_is_the_mean_over_the_chosen_rows(loss, subset, net):
    chosen = np.arange(23) if subset is None else subset
    x = 0.5 * X[chosen] + 0.25
    expected = _mean_loss(loss, x, _by_hand(net, x), None)
    assert net.loss(ROWS, 0.5, 0.25, loss, subset=subset) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_loss_of_a_classifier_takes_each_rows_label(subset):
    net = Network.zeros([Dense(5, 4, "sigmoid"), Dense(4, 3, "softmax")], "float64")
    net.randomize(0, 0)
    net.weight(1)[:] *= 9
    labels, chosen = np.random.default_rng(2).integers(0, 3, 23), np.arange(23) if subset is None else subset
    answers = net.apply(ROWS)[chosen]
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-12)
    expected = _mean_loss("softmax_cross_entropy", None, answers, labels[chosen])
    found = net.loss(ROWS, 1.0, 0.0, "softmax_cross_entropy", labels, subset)
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    ("row", "column", "value", "called"), [(0, 0, np.nan, "NaN"), (15, 3, np.inf, r"\+inf"), (22, 4, -np.inf, "-inf")]
)
def test_numbers_that_are_not_finite_are_named_by_their_place_in_the_table(row, column, value, called, net):
    x = X.copy()
    x[row, column] = value
    for call in (lambda: net.apply(ArrayRows(x)), lambda: net.loss(ArrayRows(x), 1.0, 0.0, "squared_error")):
        with pytest.raises(DataError, match=rf"found {called} at row {row}, column {column}"):
            call()


def test_infinities_of_both_signs_and_sums_that_overflow_cause_no_warning(net):
    x = X.copy()
    x[9, 1], x[9, 2] = np.inf, -np.inf
    with pytest.raises(DataError, match=r"found \+inf at row 9, column 1"):
        net.apply(ArrayRows(x))
    assert np.isfinite(net.apply(ArrayRows(np.full((3, 5), 1.7e308)), 1e-308)).all()


def test_an_answer_that_is_not_finite_is_named_by_its_first_row():
    net, x = Network.zeros([Dense(5, 4, "linear")], "float64"), X.copy()
    x[8] = 1e308
    net.weight(0)[:, ::2], net.weight(0)[:, 1::2] = 9, -9
    with pytest.raises(DataError, match="rows from 7 on"):
        net.apply(ArrayRows(x))


def test_a_network_regrown_keeps_the_leading_layers_that_are_the_same(net):
    for layers, kept in (
        (LAYERS[:2], 2),
        ((*LAYERS[:2], Dense(3, 7, "softmax")), 2),
        ((Dense(5, 4, "tanh"), *LAYERS[1:]), 0),
        ((LAYERS[0], Dense(4, 6, "tanh"), Dense(6, 4, "linear", 1), LAYERS[3]), 1),
        (LAYERS, 4),
    ):
        other = net.regrown(layers)
        assert other.layers == tuple(layers) and other.params.dtype == net.params.dtype
        assert not np.shares_memory(other.params, net.params)
        for index in range(len(layers)):
            if index < kept:
                np.testing.assert_array_equal(other.weight(index), net.weight(index))
                np.testing.assert_array_equal(other.bias(index), net.bias(index))
            else:
                assert not other.weight(index).any() and not other.bias(index).any()


def test_read_only_parameters_are_copied_to_be_trained_and_others_are_not(net):
    assert net.writable() is net
    net.params.flags.writeable = False
    copy = net.writable()
    assert copy.params.flags.writeable and not np.shares_memory(copy.params, net.params)
    np.testing.assert_array_equal(copy.params, net.params)


def test_precision_of_products_changes_nothing_but_them(net):
    single = Network.zeros(LAYERS, "float32")
    assert not single.bfloat16 and Network.zeros(LAYERS, "bfloat16").bfloat16
    rounded = single.at("bfloat16")
    assert rounded.bfloat16 and rounded.params is single.params and not rounded.at("float32").bfloat16
    assert rounded.regrown(LAYERS[:2]).bfloat16 and not single.regrown(LAYERS[:2]).bfloat16
    assert net.at("float64").params is net.params
    for one, precision in ((net, "float32"), (net, "bfloat16"), (single, "float64")):
        with pytest.raises(SettingError, match=f"expected {one.params.dtype}.*found {precision}"):
            one.at(precision)
