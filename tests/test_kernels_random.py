"""Philox against its published answers, and the numbers drawn from it against their distributions."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from stacked.kernels.arithmetic import random

from . import naive

KEY = random.stream_key(5, random.SAMPLING)
DTYPES = (np.float32, np.float64)
ALPHA = 1e-4  # the numbers are fixed by the key, so a test that passes goes on passing

# Random123 1.14, tests/kat_vectors, "philox4x32 10": counter, key, answer.
KNOWN_ANSWERS = {
    "zeros": ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    "ones": ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    "pi": ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
}


def _words(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


def _row(fill, dtype=np.float64, n=64, key=KEY, epoch=0, row=0, draw=0, first_column=0):
    out = np.empty(n, dtype)
    fill(key, epoch, row, draw, first_column, out)
    return out


def _table(fill, n_rows=400, n=250):
    out = np.empty((n_rows, n))
    fill(KEY, 0, 0, out)
    return out


@pytest.mark.parametrize("philox", [random.philox, naive.philox], ids=["kernel", "twin"])
@pytest.mark.parametrize("counter, key, answer", KNOWN_ANSWERS.values(), ids=KNOWN_ANSWERS)
def test_philox_known_answers(philox, counter, key, answer):
    assert [int(word) for word in philox(*_words(counter), *_words(key))] == [int(word) for word in _words(answer)]


def test_counter_words_are_block_of_columns_row_epoch_and_draw():
    words = random.philox(*(np.uint64(word) for word in (2, 7, 3, 1)), KEY.word0, KEY.word1)
    expected = [int(word) >> 8 for word in words]
    drawn = _row(random.fill_uniform, row=7, epoch=3, draw=1, first_column=8, n=4)
    assert (drawn * 2**24).astype(int).tolist() == expected


def test_uniform_numbers_are_uniform():
    numbers = _table(random.fill_uniform_matrix).ravel()
    assert numbers.min() >= 0 and numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > ALPHA
    for power in (1, 2, 3, 4):
        error = np.sqrt((1 / (2 * power + 1) - 1 / (power + 1) ** 2) / numbers.size)
        assert abs((numbers**power).mean() - 1 / (power + 1)) < 4 * error


def test_normal_numbers_are_normal():
    numbers = _table(random.fill_normal_matrix).ravel()
    assert np.isfinite(numbers).all()
    assert stats.kstest(numbers, "norm").pvalue > ALPHA
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((numbers**power).mean() - moment) < 4 * np.sqrt(variance / numbers.size)


@pytest.mark.parametrize("fill", [random.fill_uniform_matrix, random.fill_normal_matrix], ids=["uniform", "normal"])
def test_neighbours_are_uncorrelated(fill):
    table = _table(fill)
    table = (table - table.mean()) / table.std()
    bound = 4 / np.sqrt(table.size)
    assert all(abs((table[:, :-lag] * table[:, lag:]).mean()) < bound for lag in (1, 2, 3, 4))
    assert abs((table[:-1] * table[1:]).mean()) < bound


@pytest.mark.parametrize("fill", [random.fill_uniform, random.fill_normal], ids=["uniform", "normal"])
def test_numbers_do_not_depend_on_how_columns_are_split(fill):
    whole = _row(fill, n=67)
    for first, n in ((0, 5), (4, 63), (8, 59), (8, 3), (64, 3)):
        assert np.array_equal(_row(fill, n=n, first_column=first), whole[first : first + n])


def test_uniform_numbers_are_the_same_in_both_dtypes():
    assert np.array_equal(*(_row(random.fill_uniform, dtype).astype(np.float64) for dtype in DTYPES))


def test_normal_numbers_of_float32_are_those_of_float64_rounded():
    assert np.array_equal(_row(random.fill_normal, np.float32), _row(random.fill_normal).astype(np.float32))


@pytest.mark.parametrize("fill", [random.fill_uniform, random.fill_normal], ids=["uniform", "normal"])
def test_every_part_of_the_address_counts(fill):
    addresses = [{}, {"epoch": 1}, {"row": 1}, {"draw": 1}, {"first_column": 64}]
    addresses += [{"key": random.stream_key(5, purpose)} for purpose in range(6) if purpose != random.SAMPLING]
    addresses += [{"key": random.stream_key(5, random.SAMPLING, 1)}, {"key": random.stream_key(6, random.SAMPLING)}]
    rows = [_row(fill, **address) for address in addresses]
    assert all((left == right).mean() < 0.05 for left, right in combinations(rows, 2))
    assert np.array_equal(rows[0], _row(fill))


def test_matrix_rows_are_numbered_from_zero():
    out = np.empty((3, 5), np.float32)
    random.fill_normal_matrix(KEY, 2, 1, out)
    for i in range(3):
        assert np.array_equal(out[i], _row(random.fill_normal, np.float32, n=5, epoch=2, row=i, draw=1))


@pytest.mark.parametrize("n", [0, 1, 2, 5, 1000])
def test_shuffle_is_a_permutation(n):
    order = np.arange(n)
    random.shuffle(KEY, 0, 0, order)
    assert np.array_equal(np.sort(order), np.arange(n))


def test_shuffles_of_four_are_uniform_over_all_24():
    counts = {}
    for epoch in range(4800):
        order = np.arange(4)
        random.shuffle(KEY, epoch, 0, order)
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == 24
    assert stats.chisquare(list(counts.values())).pvalue > ALPHA


def test_shuffles_differ_between_epochs_parts_and_keys():
    orders = [np.arange(200) for _ in range(4)]
    where = ((KEY, 0, 0), (KEY, 1, 0), (KEY, 0, 1), (random.stream_key(5, random.SHUFFLE), 0, 0))
    for address, order in zip(where, orders, strict=True):
        random.shuffle(*address, order)
    assert all((left == right).mean() < 0.1 for left, right in combinations(orders, 2))
