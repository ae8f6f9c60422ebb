"""Random damage: each damaged file is refused, or read as the record that was written; nothing crashes or eats the memory.

The reading is done in another process, because a crash inside HDF5 would take this one with it.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from stacked.errors import ModelFileError
from stacked.files import read_model, write_model

from .store_records import assert_same, make_record

ROUNDS = 250
MOST_MEMORY = 64 << 10  # KiB that the damaged files may take beyond what the good one took


def in_the_oldest_format(path):
    """The same content without the checksums over metadata, so that damage reaches further into HDF5."""
    old = path.with_name("old.h5")
    with h5py.File(path) as source, h5py.File(old, "w", libver="earliest") as target:
        for name in source:
            source.copy(name, target)
        for name, value in source.attrs.items():
            target.attrs[name] = value
    return old


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("form", [lambda path: path, in_the_oldest_format], ids=["as written", "oldest format"])
def test_random_damage(tmp_path, form, seed):
    write_model(tmp_path / "model.h5", make_record("stacked_classifier"))
    path = form(tmp_path / "model.h5")
    command = [sys.executable, "-m", f"{__package__}.test_store_fuzz", path, str(seed), str(ROUNDS)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    refused, memory = map(int, run.stdout.split())
    assert refused > ROUNDS // 4
    assert memory < MOST_MEMORY


def damaged(content, rng):
    """A copy with a bit, a byte, a few bytes or a whole number spoiled, or cut short."""
    content = bytearray(content)
    at = int(rng.integers(len(content)))
    match rng.integers(5):
        case 0:
            content[at] ^= 1 << rng.integers(8)
        case 1:
            content[at] = rng.integers(256)
        case 2:
            for place in rng.integers(len(content), size=4):
                content[place] = rng.integers(256)
        case 3:
            content[at : at + 8] = rng.choice(np.frombuffer(b"\xff\0\x7f\x80", "u1")).tobytes() * 8
        case _:
            content = content[:at]
    return content


def hammer(path, seed, rounds):
    """Prints how many of the damaged copies were refused, and the KiB of memory that they took."""
    content, expected, rng, refused = path.read_bytes(), read_model(path), np.random.default_rng(seed), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(rounds):
        path.write_bytes(damaged(content, rng))
        try:
            found = read_model(path)
        except ModelFileError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert_same(found, expected)
    print(refused, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


if __name__ == "__main__":
    hammer(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
