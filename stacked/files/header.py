"""The root's attributes: which format, which kind of model, and the config, whose manifest lists all the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ModelFileError
from ..text import shown
from . import expect, strict_json
from .manifest import Manifest
from .manifest_rules import parse_manifest
from .record import FORMAT_NAME, FORMAT_VERSION, PRECISIONS
from .refusal import refusal

CONFIG = "/@config"


@dataclass(frozen=True)
class Header:
    kind: str
    params: dict[str, Any]
    manifest: Manifest
    stacked_version: str


def header_attributes(header: Header) -> dict[str, Any]:
    """``/@name`` -> value of every attribute of the root but the digest."""
    manifest = header.manifest
    config = {"params": header.params, "precision": manifest.precision, "manifest": manifest.to_json()}
    return {
        "/@format": FORMAT_NAME,
        "/@format_version": FORMAT_VERSION,
        "/@kind": header.kind,
        CONFIG: strict_json.dump(config, CONFIG),
        "/@stacked_version": header.stacked_version,
    }


def read_header_attributes(attribute: Callable[[str, str], Any]) -> dict[str, Any]:
    """The same table from a file; what tells a foreign or newer file apart is read before anything else.

    ``attribute(key, kind of value)`` reads one of them.
    """
    try:
        found = attribute("/@format", "text")
    except ModelFileError as error:
        raise ModelFileError(f"is an HDF5 file, but not a stacked model ({error})") from error.__cause__
    if found != FORMAT_NAME:
        raise ModelFileError(f"is an HDF5 file, but not a stacked model (/@format: {shown(found)})")
    version = attribute("/@format_version", "integer")
    if version > FORMAT_VERSION:
        text = f"format version {version} is newer than {FORMAT_VERSION}, which this program reads: upgrade stacked"
        raise ModelFileError(text)
    if version != FORMAT_VERSION:
        raise refusal("/@format_version", f"expected {FORMAT_VERSION}, found {version}")
    kinds = {"/@kind": "text", CONFIG: "json", "/@stacked_version": "text"}
    return {"/@format": found, "/@format_version": version} | {key: attribute(key, kinds[key]) for key in kinds}


def parse_header(attributes: dict[str, Any]) -> Header:
    """The header that these attributes give, with its manifest checked; whether the kind of model is known is not asked here."""
    kind = expect.name(attributes["/@kind"], "/@kind")
    config = strict_json.parse(attributes[CONFIG], CONFIG)
    config = expect.table(config, CONFIG, ("params", "precision", "manifest"))
    params = expect.table(config["params"], f"{CONFIG}: params")
    precision = expect.one_of(config["precision"], f"{CONFIG}: precision", PRECISIONS)
    return Header(kind, params, parse_manifest(config["manifest"], precision), attributes["/@stacked_version"])
