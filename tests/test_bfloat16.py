"""Training and inference with bfloat16 products: against twins whose products round, and as AMX runs it.

Threads, forks and chunks: see ``test_kernels_threads`` and ``test_engine``. Where the CPU has no instructions for bfloat16 the
kernels take words apart into float32, so all of this runs on any CPU but the test of AMX, which wants AVX-512 BF16 beside it and
puts an emulator in its place where it is missing.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from numba.core.registry import cpu_target

from stacked import RBM, Autoencoder, SettingError, StackedAutoencoder, load
from stacked.kernels import backprop
from stacked.kernels.arithmetic.losses import SQUARED_ERROR
from stacked.kernels.arithmetic.objective import Objective
from stacked.kernels.cpu import thread_limit
from stacked.kernels.engine import bfloat16
from stacked.kernels.engine.instructions import HAS_BFLOAT16, PANEL
from stacked.kernels.engine.panels import ROWS

from . import naive, naive_panels
from .cases_elementwise import corruption_of, key, samples_of, update_of
from .cases_machines import machine_of
from .cases_products import dense_network, dense_params
from .trainings import train_dense, train_rbm

# Of the root mean square of the change. A number that lies between two bfloat16 may be rounded up here and down in float64, which
# moves one term of a sum by 0.4 %; without rounding at all the twin is 20 times as far away.
LIMIT = 2e-4
NETWORKS = {
    "untied": ((40, 33, 70, 35, 40), ("tanh", "softplus", "relu", "sigmoid"), False, "cross_entropy"),
    "tied": ((40, 33, 70, 33, 40), ("tanh", "linear", "tanh", "linear"), True, "squared_error"),
    "classifier": ((40, PANEL, 5, PANEL + 3), ("sigmoid", "tanh", "softmax"), False, "softmax_cross_entropy"),
    "variational": ((40, 35, 74, 37, 40), ("tanh", "linear", "gaussian", "sigmoid"), False, "cross_entropy"),
}
WIDTHS = (1, 3, PANEL // 2, PANEL - 1, PANEL + 1, 2 * PANEL + 5)
BATCHES = (1, 2, 16, PANEL, 2 * PANEL, ROWS, 2 * ROWS)  # powers of two: the share of a row is exact in bfloat16
MACHINES = {
    "CD-1": machine_of("bernoulli", "bernoulli", 45, 40),
    "CD-3": machine_of("bernoulli", "bernoulli", 45, 40, 3),
    "Gaussian": machine_of("gaussian", "rectified", 45, 40),
    "persistent": machine_of("bernoulli", "bernoulli", 45, 40, 2, True),
    "sparse": machine_of("bernoulli", "bernoulli", 45, 40, 1, False, (0.1, 0.5, 0.8)),
}


@pytest.fixture
def rounding(monkeypatch):
    """Twins whose products round what they multiply."""
    monkeypatch.setattr(naive, "product", lambda x, y: naive_panels.rounded(x) @ naive_panels.rounded(y))


def _rms(x):
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def _assert_rounds(train, twin, start, *args):
    with thread_limit(None):
        got = train(np.float32, *args, True)
    expected = train(np.float64, *args, train=twin)
    for name in ("params", "velocity"):
        change = expected[name] - (start if name == "params" else 0)
        assert _rms(got[name] - expected[name]) <= LIMIT * _rms(change), name
    assert abs(got["loss"][0] / expected["loss"][0] - 1) < 1e-4


def _assert_dense_rounds(network, optimizer, corruption, batch_size, n):
    start = dense_params(np.dtype(np.float32), 1, *dense_network(*network[:3]))
    args = network, optimizer, corruption, batch_size, n
    _assert_rounds(train_dense, naive.backprop_train, start, *args)


def _assert_rbm_rounds(machine, batch_size, n):
    start = train_rbm(np.float32, machine, "momentum", batch_size, 0, 8)["params"]
    _assert_rounds(train_rbm, naive.rbm_train, start, machine, "momentum", batch_size, n, 8)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, rounding):
    _assert_dense_rounds(NETWORKS[name], "momentum", "masking", 16, 48)


@pytest.mark.parametrize("optimizer", ["nesterov", "adam"])
def test_optimizers(optimizer, rounding):
    _assert_dense_rounds(NETWORKS["tied"], optimizer, "none", 16, 48)


@pytest.mark.parametrize("n_hidden", WIDTHS)
@pytest.mark.parametrize("n_visible", WIDTHS)
def test_dense_of_every_width(n_visible, n_hidden, rounding):
    network = ((n_visible, n_hidden, n_visible), ("tanh", "sigmoid"), False, "cross_entropy")
    _assert_dense_rounds(network, "momentum", "none", 8, 16)


@pytest.mark.parametrize("batch_size", BATCHES)
@pytest.mark.parametrize("name", ["untied", "tied"])
def test_dense_of_every_minibatch(name, batch_size, rounding):
    _assert_dense_rounds(NETWORKS[name], "momentum", "none", batch_size, 2 * batch_size)


@pytest.mark.parametrize("transposed", [(0, 1, 0, 1), (1, 0, 1, 0)])
def test_a_matrix_that_four_layers_share(transposed, rounding):
    sizes, n_weights = (13, 37, 13, 37, 13), 13 * 37
    biases = n_weights + np.cumsum([0, *sizes[1:]])
    table = np.array([(sizes[i], sizes[i + 1], 2, 0, biases[i], transposed[i], 0) for i in range(4)], np.int64)
    start = dense_params(np.dtype(np.float32), 1, table[:1], n_weights, int(biases[-1]))
    objective, rows = Objective(SQUARED_ERROR, corruption_of("none"), n_weights), np.arange(16)
    results = []
    for dtype, train in ((np.float32, backprop.train), (np.float64, naive.backprop_train)):
        params = start.astype(dtype)
        velocity, work = np.zeros_like(params), backprop.workspace(table, len(params), 8, np.dtype(dtype), True)
        data = (samples_of("uint8", 2, 16, 13), rows[:0], rows, rows, 8, key(3), 0, 0, velocity, velocity[:0], work)
        train(table, params, objective, update_of("momentum"), *data)
        results.append(params)
    assert _rms(results[0] - results[1]) <= LIMIT * _rms(results[1] - start)


@pytest.mark.parametrize("name", MACHINES)
def test_machines(name, rounding):
    _assert_rbm_rounds(MACHINES[name], 16, 16)


@pytest.mark.parametrize("n_hidden", WIDTHS)
@pytest.mark.parametrize("n_visible", WIDTHS)
def test_rbm_of_every_width(n_visible, n_hidden, rounding):
    _assert_rbm_rounds(machine_of("bernoulli", "bernoulli", n_visible, n_hidden), 8, 16)


@pytest.mark.parametrize("batch_size", BATCHES)
def test_rbm_of_every_minibatch(batch_size, rounding):
    _assert_rbm_rounds(MACHINES["CD-1"], batch_size, 2 * batch_size)


def test_the_limit_tells_rounding_from_none():
    with pytest.raises(AssertionError):
        _assert_dense_rounds(NETWORKS["untied"], "momentum", "masking", 16, 48)
    with pytest.raises(AssertionError):
        _assert_rbm_rounds(MACHINES["CD-1"], 16, 16)


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_round_and_do_not_depend_on_the_rows_beside_them(name, rounding):
    sizes, activations, tied, _ = NETWORKS[name]
    table, n_weights, n_params = dense_network(sizes, activations, tied)
    params = dense_params(np.dtype(np.float32), 1, table, n_weights, n_params)
    samples, prepared = samples_of("uint8", 1, 300, sizes[0]), backprop.prepare(table, params, True)
    whole, alone, expected = np.empty((3, 300, sizes[-1]), np.float32)
    backprop.infer(table, params, prepared, samples, np.arange(300), whole)
    for start, stop in ((0, 1), (1, 130), (130, 131), (131, 300)):
        backprop.infer(table, params, prepared, samples, np.arange(start, stop), alone[start:stop])
    assert whole.tobytes() == alone.tobytes()
    naive.infer(table, params, None, samples, np.arange(300), expected)
    assert _rms(whole - expected) <= LIMIT * _rms(expected)


def test_a_weight_that_is_not_a_number_stays_one():
    x = np.full((1, PANEL, PANEL), np.nan, np.float32)
    x[0, 1] = np.array(0x7FFFFFFF, np.uint32).view(np.float32)
    words = np.zeros(x.size // 2, np.uint32)
    bfloat16.write_form(x, 0, PANEL, 0, PANEL, bfloat16.LEFT, words, 0)
    for bits in (words << 16, words & 0xFFFF0000):
        assert np.isnan(bits.astype(np.uint32).view(np.float32)).all()


# ---- AMX ---------------------------------------------------------------------------------------------------------------

_AS_ON_AMX = """
import json
from contextlib import nullcontext
import numpy as np
from stacked.kernels.engine import bfloat16
from stacked.kernels.cpu import permit_amx, thread_limit
from stacked.kernels.arithmetic.losses import SQUARED_ERROR
from stacked.kernels.engine.instructions import HAS_AMX
from stacked.tests.amx_emulator import emulated
from stacked.tests.cases import agreement
from stacked.tests.cases_words import word_cases
from stacked.tests.test_bfloat16 import MACHINES, NETWORKS, _rms
from stacked.tests.trainings import train_dense, train_rbm

def trained(n_threads, bfloat16):
    with thread_limit(n_threads):
        yield train_dense(np.float32, NETWORKS["untied"], "momentum", "masking", 40, 80, bfloat16)
        yield train_dense(np.float32, NETWORKS["tied"], "momentum", "masking", 13, 26, bfloat16)
        yield train_rbm(np.float32, MACHINES["CD-1"], "momentum", 40, 80, 7, bfloat16)
        yield train_rbm(np.float32, MACHINES["persistent"], "momentum", 13, 26, 7, bfloat16)

assert HAS_AMX
real = permit_amx()
with nullcontext() if real else emulated() as machine:
    few = [case for number, case in enumerate(word_cases(True)) if number % 4 == 0 or "23 x" in case.label]
    worst = {str(case): max(agreement(case, "float32").values()) for case in few}
    one, two = list(trained(1, True)), list(trained(2, True))
same = all(a[name].tobytes() == b[name].tobytes() for a, b in zip(one, two) for name in a)
change = [_rms(a["velocity"] - b["velocity"]) / _rms(b["velocity"]) for a, b in zip(one, trained(1, False))]
print(json.dumps({
    "worst": max(worst.values()), "n": len(worst), "same": same, "change": change, "real": real,
    "counts": {} if real else machine.counts, "mistakes": [] if real else machine.mistakes,
    "left": 0 if real else len(machine.tiles),
}))
"""


def _amx_environment():
    """Environment in which Numba compiles for this CPU and AMX."""
    _, name, features = cpu_target.target_context.codegen().magic_tuple()
    wanted = ("amx-tile", "amx-bf16", "amx-int8")
    kept = [feature for feature in features.split(",") if feature[1:] not in wanted]
    settings = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": ",".join([*kept, *("+" + w for w in wanted)])}
    return {**os.environ, **settings}


@pytest.mark.skipif(not HAS_BFLOAT16, reason="this CPU has no AVX-512 BF16, which AMX comes with")
def test_amx_tiles():
    done = subprocess.run([sys.executable, "-c", _AS_ON_AMX], env=_amx_environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["worst"] <= 1 and report["n"] > 20
    assert report["same"]
    assert all(1e-4 < change < 2e-2 for change in report["change"]), report["change"]  # rounded, and not too much
    assert report["mistakes"] == [] and report["left"] == 0
    if not report["real"]:
        assert report["counts"]["ldtilecfg"] == report["counts"]["tilerelease"] > 0
        assert report["counts"]["tdpbf16ps"] > 1000


# ---- models ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def missing(monkeypatch):
    """A CPU without bfloat16, or one that has it: what is missing."""

    def set_missing(reason):
        monkeypatch.setattr(bfloat16, "obstacle", lambda: reason)

    return set_missing


def _deep(precision, **params):
    units = [RBM(20, epochs=2), Autoencoder(5, epochs=2, corruption_level=0.2)]
    return StackedAutoencoder(units, finetune_epochs=2, precision=precision, random_state=0, **params)


def test_refused_where_it_is_missing(small, missing):
    missing("this CPU has neither")
    for model in (RBM(4, precision="bfloat16"), Autoencoder(4, precision="bfloat16"), _deep("bfloat16")):
        with pytest.raises(
            SettingError, match="bfloat16 needs AMX or AVX-512 BF16 instructions, but this CPU has neither"
        ):
            model.fit(small)


def test_a_refusal_leaves_a_fitted_stack_as_it_was(small, missing):
    missing(None)
    model = _deep("float32").fit(small)
    before = model.transform(small)
    missing("this CPU has neither")
    model.set_params(precision="bfloat16")
    for train in (model.fit, model.pretrain, model.finetune):
        with pytest.raises(SettingError, match="this CPU has neither"):
            train(small)
    assert np.array_equal(model.set_params(precision="float32").transform(small), before)
    untrained = _deep("bfloat16")
    with pytest.raises(SettingError, match="this CPU has neither"):
        untrained.finetune(small)
    assert not hasattr(untrained, "network_")


def test_a_model_loads_and_answers_where_it_is_missing(small, missing, tmp_path):
    missing(None)
    model = _deep("bfloat16").fit(small)
    model.save(tmp_path / "model.h5")
    expected = model.set_params(precision="float32").transform(small)
    missing("this CPU has neither")
    loaded = load(tmp_path / "model.h5")
    assert loaded.precision == "bfloat16" and loaded.network_.params.dtype == np.float32
    with pytest.raises(SettingError, match="use precision float32"):
        loaded.transform(small)
    assert np.array_equal(loaded.set_params(precision="float32").transform(small), expected)


def test_the_precision_that_is_set_answers(small, missing):
    missing(None)
    model = _deep("float32").fit(small)
    full = model.transform(small)
    rounded = model.set_params(precision="bfloat16").transform(small)
    assert 1e-5 < _rms(full - rounded) / _rms(full) < 0.02
    assert model.score(small) != model.set_params(precision="float32").score(small)


def test_a_float32_model_is_fine_tuned_in_bfloat16(small, missing):
    missing(None)
    model = _deep("float32").pretrain(small)
    model.set_params(precision="bfloat16").finetune(small)
    other = _deep("float32").pretrain(small).finetune(small)
    difference = _rms(model.network_.params - other.network_.params)
    assert 0 < difference < 0.01 * _rms(other.network_.params)


def test_training_reaches_the_same_error(digits, missing):
    missing(None)
    X = digits.array
    units = [RBM(50, epochs=10)]
    scores = [
        StackedAutoencoder(units, finetune_epochs=10, precision=precision, random_state=0).fit(X).score(X)
        for precision in ("float32", "bfloat16")
    ]
    assert scores[0] != scores[1] and abs(scores[1] / scores[0] - 1) < 0.01


@pytest.mark.parametrize("optimizer", ["cg", "lbfgs"])
def test_line_searches_are_refused(small, missing, optimizer):
    missing(None)
    with pytest.raises(SettingError, match=f"finetune_optimizer: {optimizer} has no bfloat16 products"):
        _deep("bfloat16", finetune_optimizer=optimizer).fit(small)


def test_units_trained_by_line_searches_are_fine_tuned(small, missing, tmp_path):
    missing(None)
    model = StackedAutoencoder([Autoencoder(5, epochs=1, optimizer="cg")], finetune_epochs=1, random_state=0).fit(small)
    model.set_params(precision="bfloat16").finetune(small).save(tmp_path / "model.h5")
    assert load(tmp_path / "model.h5").precision == "bfloat16"
    with pytest.raises(SettingError, match="optimizer: cg has no bfloat16 products"):
        model.pretrain(small)


@pytest.mark.parametrize("precision", ["float64", "bf16"])
def test_a_precision_that_the_parameters_are_not_in_is_refused(small, precision):
    model = RBM(4, epochs=1, random_state=0).fit(small).set_params(precision=precision)
    with pytest.raises(SettingError, match="precision: expected"):
        model.transform(small)


def test_rows_in_windows_train_to_the_same_bits(small, missing, tmp_path):
    missing(None)
    import h5py

    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["rows"] = small
    from stacked import open_data

    with open_data(str(tmp_path / "rows.h5")) as rows:
        streamed = _deep("bfloat16").fit(rows)
    assert streamed.network_.params.tobytes() == _deep("bfloat16").fit(small).network_.params.tobytes()
