"""Every threat: how a good file is edited, and a part of the one line with which the result is refused."""

import h5py
import numpy as np

from .store_hostile import HISTORY as HISTORY_TYPE
from .store_hostile import (
    WEIGHT,
    attribute,
    config,
    config_text,
    dangling_link,
    dataset_for_group,
    declared,
    external_group,
    external_link,
    external_storage,
    gzip_bomb,
    hard_link_cycle,
    huge_checkpoint,
    huge_chunks,
    huge_shape,
    infinite_velocity,
    many_chunks,
    missing_chunk,
    named_type,
    nan_loss,
    nan_weight,
    never_stored,
    null_dataset,
    replaced,
    shared_storage,
    soft_group,
    soft_link,
    twice_in_the_manifest,
    unknown_filter,
    virtual,
    virtual_unlimited,
    without,
)

W = f"/{WEIGHT}: "
MANIFEST = "/@config: manifest"
ARRAYS = f"{MANIFEST}.arrays"
WEIGHTS = f"{ARRAYS}: /encoder/0/weight"
DENSE = {"kind": "dense", "activation": "sigmoid", "n_in": 6, "n_out": 4}
DEEP = '{"params":' + "[" * 20_000 + "]" * 20_000 + "}"
HISTORY = np.dtype([("epoch", "<i8"), ("loss", h5py.special_dtype(vlen=float))])

HOSTILE = {
    "newer version": (
        attribute("/", "format_version", 2),
        "format version 2 is newer than 1, which this program reads",
    ),
    "older version": (attribute("/", "format_version", 0), "/@format_version: expected 1, found 0"),
    "odd kind": (attribute("/", "kind", np.bytes_("a gan")), "/@kind: expected a name of letters, digits and _, found"),
    "missing array": (without(WEIGHT), f"{W}missing"),
    "missing group": (without("encoder"), "/encoder: missing"),
    "missing attribute": (without("encoder/0", "activation"), "/encoder/0@activation: missing"),
    "missing kind of a layer": (without("encoder/0", "kind"), "/encoder/0@kind: missing"),
    "missing size": (without("encoder/0", "n_in"), "/encoder/0@n_in: missing"),
    "missing params": (without("units/0", "params"), "/units/0@params: missing"),
    "missing config": (without("/", "config"), "/@config: missing"),
    "missing digest": (without("/", "digest"), "/@digest: missing"),
    "wrong shape": (replaced(WEIGHT, data=np.zeros((4, 6), "f4")), f"{W}expected the shape (6, 4), found (4, 6)"),
    "wrong rank": (replaced(WEIGHT, data=np.zeros(24, "f4")), f"{W}expected the shape (6, 4), found (24,)"),
    "null space": (null_dataset, f"{W}expected the shape (6, 4), found nothing"),
    "float64": (replaced(WEIGHT, data=np.zeros((6, 4), "f8")), f"{W}expected the type float32, found float64"),
    "big-endian": (
        replaced(WEIGHT, data=np.zeros((6, 4), ">f4")),
        f"{W}expected the type float32, found float32 (>f4)",
    ),
    "integers": (replaced(WEIGHT, data=np.zeros((6, 4), "i4")), f"{W}expected the type float32, found int32"),
    "enumeration": (replaced(WEIGHT, data=np.zeros((6, 4), bool)), f"{W}expected the type float32, found an enum"),
    "compound": (replaced(WEIGHT, data=np.zeros((6, 4), "f4,i4")), f"{W}expected the type float32, found another comp"),
    "array type": (replaced(WEIGHT, shape=(6,), dtype="(4,)f4"), f"{W}expected the type float32, found an array"),
    "references": (
        replaced(WEIGHT, shape=(6, 4), dtype=h5py.ref_dtype),
        f"{W}expected the type float32, found a refer",
    ),
    "vlen": (
        replaced(WEIGHT, shape=(6, 4), dtype=h5py.vlen_dtype("f4")),
        f"{W}expected the type float32, found of vari",
    ),
    "vlen text": (
        replaced(WEIGHT, shape=(6, 4), dtype=h5py.string_dtype()),
        f"{W}expected the type float32, found text",
    ),
    "opaque": (replaced(WEIGHT, shape=(6, 4), dtype="V4"), f"{W}expected the type float32, found opaque"),
    "text classes": (
        replaced("classes", data=["a", "b"], dtype=h5py.string_dtype()),
        "/classes: expected the type int64",
    ),
    "vlen history": (
        replaced("history/unit_0", shape=(3,), dtype=HISTORY),
        "/history/unit_0: expected the type history",
    ),
    "soft link": (soft_link, f"{W}is a soft link, only hard links are followed"),
    "soft group": (soft_group, "/encoder: is a soft link"),
    "dangling link": (dangling_link, f"{W}is a soft link"),
    "external link": (external_link, f"{W}is a link to another file"),
    "external group": (external_group, "/encoder: is a link to another file"),
    "virtual": (virtual, f"{W}is a virtual dataset"),
    "unlimited virtual": (virtual_unlimited, f"{W}is a virtual dataset"),
    "external storage": (external_storage, f"{W}keeps its numbers in an external file"),
    "unknown filter": (unknown_filter, f"{W}uses the foreign filter 32004"),
    "lzf": (
        replaced(WEIGHT, data=np.zeros((6, 4), "f4"), compression="lzf"),
        f"{W}uses the foreign filter 32000 lzf, expected gzip, shuffle, fletcher32 or none",
    ),
    "scale-offset": (
        replaced("classes", data=np.arange(2), scaleoffset=0, dtype="i8"),
        "/classes: uses the foreign filter 6",
    ),
    "cycle": (hard_link_cycle, "/encoder/0/bias: missing"),
    "group for dataset": (lambda f, _: (f.pop(WEIGHT), f.create_group(WEIGHT)), f"{W}expected a dataset"),
    "named type": (named_type, f"{W}expected a dataset"),
    "dataset for group": (dataset_for_group, "/encoder: expected a group"),
    "shape bomb": (huge_shape, f"{MANIFEST}: declares arrays of"),
    "checkpoint bomb": (huge_checkpoint, f"{MANIFEST}: declares arrays of"),
    "never stored": (never_stored, f"{W}declares 96 bytes, but only 0 are stored"),
    "gzip bomb": (gzip_bomb, f"{W}a chunk holds 101 bytes, expected 96"),
    "huge chunks": (huge_chunks, f"{W}is cut into chunks of 67,108,864 bytes"),
    "many chunks": (many_chunks, "/history/finetune: declares 960,000 bytes, but only 0 are stored"),
    "missing chunk": (missing_chunk, "/units/0/weight: the chunk at (3, 0) is not in the file"),
    "shared storage": (shared_storage, "/checkpoint/x1: the arrays up to here claim"),
    "NaN weight": (nan_weight, f"{W}holds NaN or infinity"),
    "infinite velocity": (infinite_velocity, "/checkpoint/velocity/weight: holds NaN or infinity"),
    "NaN loss": (nan_loss, "/history/unit_0[loss]: holds NaN or infinity"),
    "attribute bomb": (
        attribute("units/0", "params", np.bytes_(b'"' + b"x" * (2 << 20))),
        "/units/0@params: 2,097,153 bytes",
    ),
    "long activation": (attribute("encoder/0", "activation", np.bytes_("x" * 300)), "/encoder/0@activation: 300 bytes"),
    "array activation": (attribute("encoder/0", "activation", np.zeros(3)), "/encoder/0@activation: expected a single"),
    "number activation": (attribute("encoder/0", "activation", 3.0), "/encoder/0@activation: expected a text"),
    "vlen activation": (
        attribute("encoder/0", "activation", "relu"),
        "/encoder/0@activation: is a text of variable length",
    ),
    "odd activation": (
        attribute("encoder/0", "activation", np.bytes_("a b")),
        "/encoder/0@activation: expected 'sigmoid' as in the config, found 'a b'",
    ),
    "not UTF-8": (
        attribute("encoder/0", "activation", np.bytes_(b"\xff\xfe")),
        "/encoder/0@activation: cannot be read",
    ),
    "reference": (attribute("/units/0", "share", h5py.h5r.Reference()), "/units/0@share: expected a float"),
    "NaN scale": (attribute("/units/0", "share", np.nan), "/units/0@share: holds NaN"),
    "text scale": (attribute("/units/0", "share", np.bytes_("1")), "/units/0@share: expected a float"),
    "empty scale": (attribute("/units/0", "share", h5py.Empty("f8")), "/units/0@share: expected a single value"),
    "long double": (attribute("/units/0", "share", np.longdouble(1)), "/units/0@share: 16 bytes"),
    "scale of a text": (replaced("input/scale", data=np.full(6, b"1")), "/input/scale: expected the type float64"),
    "NaN scales": (replaced("input/scale", data=np.full(6, np.nan)), "/input/scale: holds NaN or infinity"),
    "scales of fewer columns": (replaced("input/scale", data=np.ones(5)), "/input/scale: expected the shape (6,)"),
    "odd logarithm": (replaced("input/log", data=np.full(6, 2, "u1")), "/input/log: expected 0 or 1, found 2"),
    "no offsets": (without("input/offset"), "/input/offset: missing"),
    "negative shape": (attribute("/input", "sample_shape", [-2, -3]), "/input@sample_shape: expected a size"),
    "long shape": (attribute("/input", "sample_shape", [1] * 9), "/input@sample_shape: 72 bytes, at most 64"),
    "input dtype": (attribute("/input", "dtype", np.bytes_("object")), "/input@dtype: expected one of uint8"),
    "unit kind": (
        attribute("/units/0", "kind", np.bytes_("os")),
        "/units/0@kind: expected 'RBM' as in the config, found 'os'",
    ),
    "JSON too deep": (config_text(DEEP), "/@config: JSON nested deeper than 32 levels"),
    "malformed JSON": (config_text('{"params": '), "/@config: malformed JSON"),
    "endless JSON": (config_text('"' + '\\"' * 500_000), "/@config: malformed JSON: Unterminated string"),
    "JSON list": (config_text("[]"), "/@config: expected an object, found []"),
    "JSON keys": (config_text('{"params":{}}'), "/@config: expected the keys ['manifest', 'params', 'precision']"),
    "NaN in JSON": (
        attribute("units/0", "params", np.bytes_('{"a":NaN}')),
        "/units/0@params: malformed JSON: the constant",
    ),
    "1e999 in JSON": (
        attribute("units/0", "params", np.bytes_('{"a":1e999}')),
        "/units/0@params: malformed JSON: the number",
    ),
    "long integer": (
        attribute("units/0", "params", np.bytes_('{"a":' + "9" * 5000 + "}")),
        "/units/0@params: malformed JSON: Exceeds",
    ),
    "duplicate keys": (
        attribute("units/0", "params", np.bytes_('{"a":1,"a":2}')),
        "/units/0@params: malformed JSON: an",
    ),
    "cursor": (
        attribute("checkpoint", "cursor", np.bytes_("[1]")),
        "/checkpoint@cursor: expected an object, found [1]",
    ),
    "unknown phase": (
        attribute("checkpoint", "cursor", np.bytes_('{"phase":"pretrain; curl","unit":0,"epoch":1}')),
        "/checkpoint@cursor: phase: expected one of pretrain, finetune, found 'pretrain; curl'",
    ),
    "no epoch": (
        attribute("checkpoint", "cursor", np.bytes_('{"phase":"pretrain","unit":0}')),
        "/checkpoint@cursor: epoch: missing",
    ),
    "classes twice": (
        replaced("classes", data=np.array([3, 3])),
        "/classes: expected sorted labels, each once, found 3",
    ),
    "classes unsorted": (replaced("classes", data=np.array([5, 3])), "/classes: expected sorted labels, each once"),
    "precision": (config(precision="float8"), "/@config: precision: expected one of float32, bfloat16, float64"),
    "params": (config(params=[]), "/@config: params: expected an object"),
    "zero size": (declared(("/encoder/0/weight", ["<f4", [0, 4]])), f"{WEIGHTS}: expected a size from 1"),
    "float size": (declared(("/encoder/0/weight", ["<f4", [6.0, 4]])), f"{WEIGHTS}: expected a size from 1"),
    "true size": (declared(("/encoder/0/weight", ["<f4", [True, 4]])), f"{WEIGHTS}: expected a size from 1"),
    "vast size": (declared(("/encoder/0/weight", ["<f4", [6, 2**40]])), f"{WEIGHTS}: expected a size from 1"),
    "half a specification": (
        declared(("/encoder/0/weight", ["<f4"])),
        f"{WEIGHTS}: expected [dtype, shape], found ['<f4']",
    ),
    "no specification": (declared(("/encoder/0/weight", {})), f"{WEIGHTS}: expected a list, found {{}}"),
    "many dimensions": (declared(("/encoder/0/weight", ["<f4", [1] * 9])), f"{WEIGHTS}: 9 entries, at most 8 are read"),
    "declared otherwise than stored": (
        declared(("/encoder/0/weight", ["<f4", [4, 6]])),
        f"{W}expected the shape (4, 6), found (6, 4)",
    ),
    "declared of another type": (
        declared(("/encoder/0/weight", ["<f8", [6, 4]])),
        f"{WEIGHTS}: expected one of <f4, found '<f8'",
    ),
    "declared smaller than stored": (
        declared(("/encoder/0/weight", ["<f4", [3, 4]])),
        f"{W}expected the shape (3, 4), found (6, 4)",
    ),
    "declared and missing": (declared(("/encoder/0/other", ["<f4", [3]])), "/encoder/0/other: missing"),
    "declared twice": (twice_in_the_manifest, "/@config: malformed JSON: an object holds the same key twice"),
    "declared for no layer": (
        declared(("/encoder/2/weight", ["<f4", [3, 3]])),
        f"{ARRAYS}: /encoder/2 holds arrays, but the manifest names no such layer, unit or part of the file",
    ),
    "declared for no part": (declared(("/extra/weight", ["<f4", [3]])), f"{ARRAYS}: /extra holds arrays, but the"),
    "a layer that is an array": (
        declared(("/encoder/0", ["<f4", [3]])),
        f"{ARRAYS}: /encoder/0 is an array and the folder of /encoder/0/bias",
    ),
    "nothing but an array": (
        config(manifest__arrays={"/encoder/0": ["<f4", [3]]}),
        f"{ARRAYS}: /encoder/0: expected a group of arrays, found the names ['']",
    ),
    "classes that are a group": (
        declared(("/classes/x", ["<i8", [3]])),
        f"{ARRAYS}: /classes: expected one array, found the names ['', 'x']",
    ),
    "path upwards": (declared(("/encoder/0/../x", ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "relative path": (declared(("encoder/0/x", ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "empty name": (declared(("/encoder/0//x", ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "capital letters": (declared(("/encoder/0/Weight", ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "line break": (declared(("/encoder/0/x\n", ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "deep path": (declared(("/encoder/0" + "/x" * 7, ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "long path": (declared(("/encoder/0/" + "x" * 300, ["<f4", [3]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "10,001 arrays": (
        config(manifest__arrays={f"/checkpoint/{i}": 0 for i in range(10_001)}),
        f"{ARRAYS}: 10001 entries, at most 10000 are read",
    ),
    "a million arrays": (
        config(manifest__arrays={f"/checkpoint/{i}": 0 for i in range(1_000_000)}),
        "/@config: 24,889,438 bytes, at most 1,048,576 are read",
    ),
    "2000 layers": (
        config(manifest__encoder=[DENSE] * 2000),
        f"{MANIFEST}.encoder: 2000 entries, at most 1000 are read",
    ),
    "a layer without kind": (config(manifest__head={"activation": "softmax"}), f"{MANIFEST}.head.kind: missing"),
    "a layer that is a list": (config(manifest__head=[]), f"{MANIFEST}.head: expected an object, found []"),
    "many attributes": (
        config(manifest__head={f"a{i}": 0 for i in range(33)}),
        f"{MANIFEST}.head: 33 entries, at most 32 are read",
    ),
    "attribute's name": (
        config(manifest__head={"kind": "dense", "A b": 1}),
        f"{MANIFEST}.head: expected attributes named",
    ),
    "a unit's params": (
        config(manifest__units=[{"kind": "RBM", "params": 1}]),
        f"{MANIFEST}.units[0]: expected attributes named by a-z, 0-9 and _, found 'params'",
    ),
    "attribute's text": (config(manifest__head={"kind": "dense", "a": "; rm"}), f"{MANIFEST}.head.a: expected a name"),
    "attribute's object": (
        config(manifest__head={"kind": "dense", "a": {}}),
        f"{MANIFEST}.head.a: expected a whole number",
    ),
    "attribute's truth": (
        config(manifest__head={"kind": "dense", "a": True}),
        f"{MANIFEST}.head.a: expected a whole number",
    ),
    "attribute's list": (
        config(manifest__head={"kind": "dense", "a": [1] * 9}),
        f"{MANIFEST}.head.a: 9 entries, at most 8",
    ),
    "vast attribute": (
        config(manifest__head={"kind": "dense", "a": 2**63}),
        f"{MANIFEST}.head.a: expected a whole number of at most 64 bits",
    ),
    "an attribute of another type": (
        config(manifest__encoder=[{**DENSE, "n_in": [6]}, DENSE]),
        "/encoder/0@n_in: expected a list of integers",
    ),
    "an attribute otherwise than stored": (
        attribute("encoder/0", "n_in", 7),
        "/encoder/0@n_in: expected 6 as in the config, found 7",
    ),
    "class type": (declared(("/classes", ["|O", [2]])), f"{ARRAYS}: /classes: expected one of <i8, found '|O'"),
    "class type list": (
        declared(("/classes", [["|S5"], [2]])),
        f"{ARRAYS}: /classes: expected one of <i8, found ['|S5']",
    ),
    "class rank": (declared(("/classes", ["<i8", []])), f"{ARRAYS}: /classes: expected 1 dimension, found 0"),
    "history path": (declared(("/history/../x", [HISTORY_TYPE, [3]])), f"{ARRAYS}: expected at most 8 names"),
    "history folder": (declared(("/history/a/b", [HISTORY_TYPE, [3]])), f"{ARRAYS}: /history: expected a name"),
    "negative history": (declared(("/history/unit_0", [HISTORY_TYPE, [-1]])), "unit_0: expected a size from 0"),
    "history type": (
        declared(("/history/unit_0", ["<f8", [3]])),
        "/history/unit_0: expected one of <i8,<f8,<f8,<f8,<f8,<f8",
    ),
    "half a probe": (
        declared(("/probe/output", None)),
        f"{ARRAYS}: /probe: expected the names ['input', 'output'], found ['input']",
    ),
    "baseline name": (
        declared(("/baseline/sundry", ["<f4", [1]])),
        f"{ARRAYS}: /baseline: expected names among ['class_share', 'components', ",
    ),
    "baseline type": (
        declared(("/baseline/mean", ["|O", [1]])),
        f"{ARRAYS}: /baseline/mean: expected one of <f4, <f8, found '|O'",
    ),
    "baseline rank": (
        declared(("/baseline/mean", ["<f4", [1] * 3])),
        f"{ARRAYS}: /baseline/mean: 3 entries, at most 2",
    ),
    "checkpoint path": (declared(("/checkpoint/a/../b", ["<f4", [1]])), f"{ARRAYS}: expected at most 8 names of a-z"),
    "checkpoint type": (declared(("/checkpoint/a", ["|O", [1]])), f"{ARRAYS}: /checkpoint/a: expected one of <f4"),
    "checkpoint rank": (
        declared(("/checkpoint/a", ["<f4", [1] * 4])),
        f"{ARRAYS}: /checkpoint/a: 4 entries, at most 3",
    ),
    "array and folder": (
        declared(("/checkpoint/a", ["<f4", [1]]), ("/checkpoint/a/b", ["<f4", [1]])),
        f"{ARRAYS}: /checkpoint/a is an array and the folder of /checkpoint/a/b",
    ),
    "null manifest": (config(manifest=None), f"{MANIFEST}: expected an object, found None"),
    "manifest's keys": (
        config(manifest={"arrays": {}}),
        f"{MANIFEST}: expected the keys ['arrays', 'decoder', 'encoder'",
    ),
}
