"""What a hostile hand may do to a good model file: each edit takes the open file and its folder."""

import json
import zlib

import h5py
import numpy as np

WEIGHT = "encoder/0/weight"
HISTORY = "<i8,<f8,<f8,<f8,<f8,<f8"


def replaced(name, **options):
    """Puts another dataset in the place of ``name``."""

    def edit(file, folder):
        del file[name]
        file.create_dataset(name, **options)

    return edit


def config(**changes):
    """Changes the config: ``a__b=value`` sets config["a"]["b"]."""

    def edit(file, folder):
        data = json.loads(file.attrs["config"])
        for keys, value in changes.items():
            *above, last = keys.split("__")
            place = data
            for key in above:
                place = place[key]
            place[last] = value
        file.attrs["config"] = np.bytes_(json.dumps(data))

    return edit


def attribute(path, name, value):
    def edit(file, folder):
        file[path].attrs[name] = value

    return edit


def declared(*specs):
    """Puts (path, [dtype, shape]) into the manifest's arrays, or takes out a path whose specification is None."""

    def edit(file, folder):
        data = json.loads(file.attrs["config"])
        for path, spec in specs:
            if spec is None:
                del data["manifest"]["arrays"][path]
            else:
                data["manifest"]["arrays"][path] = spec
        file.attrs["config"] = np.bytes_(json.dumps(data))

    return edit


def twice_in_the_manifest(file, folder):
    text = file.attrs["config"].decode()
    entry = '"/encoder/0/weight":["<f4",[6,4]]'
    assert text.count(entry) == 1
    file.attrs["config"] = np.bytes_(text.replace(entry, f"{entry},{entry}"))


def config_text(text):
    return attribute("/", "config", np.bytes_(text))


def soft_link(file, folder):
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink("/encoder/1/weight")


def soft_group(file, folder):
    file.move("encoder", "elsewhere")
    file["encoder"] = h5py.SoftLink("/elsewhere")


def dangling_link(file, folder):
    del file[WEIGHT]
    file[WEIGHT] = h5py.SoftLink("/nowhere")


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["w"] = np.zeros((6, 4), "f4")
    del file[WEIGHT]
    file[WEIGHT] = h5py.ExternalLink(str(folder / "other.h5"), "/w")


def external_group(file, folder):
    del file["encoder"]
    file["encoder"] = h5py.ExternalLink("/etc/passwd", "/")


def virtual(file, folder):
    layout = h5py.VirtualLayout((6, 4), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (6, 4), "f4")
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def virtual_unlimited(file, folder):
    layout = h5py.VirtualLayout((6, 4), "f4", maxshape=(None, 4))
    source = h5py.VirtualSource("/etc/passwd", "x", (6, 4), "f4", maxshape=(None, 4))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    del file[WEIGHT]
    file.create_virtual_dataset(WEIGHT, layout)


def external_storage(file, folder):
    (folder / "raw").write_bytes(b"\0" * 96)
    del file[WEIGHT]
    file.create_dataset(WEIGHT, shape=(6, 4), dtype="f4", external=[(str(folder / "raw"), 0, 96)])


def unknown_filter(file, folder):
    """Filter 32004 is LZ4's, which no plain HDF5 has: written raw, as if it had been applied."""
    del file[WEIGHT]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((6, 4))
    plist.set_filter(32004, h5py.h5z.FLAG_OPTIONAL, (1,))
    space, kind = h5py.h5s.create_simple((6, 4)), h5py.h5t.IEEE_F32LE
    h5py.h5d.create(file["encoder/0"].id, b"weight", kind, space, plist).write_direct_chunk((0, 0), b"\0" * 96)


def hard_link_cycle(file, folder):
    del file["encoder/0"]
    file["encoder/0"] = file["encoder"]


def huge_shape(file, folder):
    """Nothing is stored for it: h5py would allocate, and fill, 3 TiB."""
    declared(("/encoder/0/weight", ["<f4", [6, 2**31]]))(file, folder)
    replaced(WEIGHT, shape=(6, 2**31), dtype="f4", chunks=(1, 1024))(file, folder)


def huge_checkpoint(file, folder):
    declared(("/checkpoint/x", ["<f8", [2**31, 2**31, 2**31]]))(file, folder)
    file.create_dataset("checkpoint/x", shape=(2**31, 2**30, 1), dtype="f8", chunks=(1, 1024, 1))


def never_stored(file, folder):
    del file[WEIGHT]
    file.create_dataset(WEIGHT, shape=(6, 4), dtype="f4")


def gzip_bomb(file, folder):
    """A small shape over a chunk that inflates to 64 MiB."""
    del file[WEIGHT]
    dataset = file.create_dataset(WEIGHT, shape=(6, 4), dtype="f4", chunks=(6, 4), compression="gzip")
    dataset.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 26), 9))


def huge_chunks(file, folder):
    del file[WEIGHT]
    options = {"maxshape": (None, None), "chunks": (2**12, 2**12), "compression": "gzip"}
    file.create_dataset(WEIGHT, data=np.zeros((6, 4), "f4"), **options)


def many_chunks(file, folder):
    rows = 20_000
    declared(("/history/finetune", [HISTORY, [rows]]))(file, folder)
    options = {"dtype": file["history/unit_0"].dtype, "chunks": (1,), "compression": "gzip"}
    replaced("history/finetune", shape=(rows,), **options)(file, folder)
    file["padding"] = np.zeros(50_000, "u1")


def missing_chunk(file, folder):
    del file["units/0/weight"]
    dataset = file.create_dataset("units/0/weight", shape=(6, 4), dtype="f4", chunks=(3, 4), compression="gzip")
    dataset[:3] = np.random.default_rng(0).random((3, 4))


def shared_storage(file, folder):
    """One big array under many names: each claims the same bytes of the file."""
    file["checkpoint/big"] = np.zeros(100_000, "u1")
    names = [f"x{i}" for i in range(30)]
    for name in names:
        file[f"checkpoint/{name}"] = file["checkpoint/big"]
    declared(*((f"/checkpoint/{name}", ["|u1", [100_000]]) for name in names))(file, folder)


def dataset_for_group(file, folder):
    del file["encoder"]
    file["encoder"] = np.zeros(3)


def named_type(file, folder):
    del file[WEIGHT]
    file[WEIGHT] = np.dtype("f4")


def nan_weight(file, folder):
    file[WEIGHT][0, 0] = np.nan


def infinite_velocity(file, folder):
    file["checkpoint/velocity/weight"][0, 0] = np.inf


def nan_loss(file, folder):
    rows = file["history/unit_0"][:]
    rows["loss"][1] = np.nan
    file["history/unit_0"][...] = rows


def without(path, name=None):
    def edit(file, folder):
        if name is None:
            del file[path]
        else:
            del file[path].attrs[name]

    return edit


def null_dataset(file, folder):
    del file[WEIGHT]
    file[WEIGHT] = h5py.Empty("f4")
