"""Where unfinished training stands, as far as messages and advice speak of it: phase, unit, epoch, and whether it diverged.

What else is in the cursor is the trainer's, which checks it when it goes on.
"""

from __future__ import annotations

from typing import Any

from ..text import shown
from . import expect
from .refusal import refusal

CURSOR = "/checkpoint@cursor"
PHASES = ("pretrain", "finetune")


def check_cursor(cursor: dict[str, Any]) -> dict[str, Any]:
    """The cursor, or a refusal: its phase is one of `PHASES`, unit and epoch are whole numbers, ``diverged`` is a bool if given."""
    for name in ("phase", "unit", "epoch"):
        if name not in cursor:
            raise refusal(CURSOR, f"{name}: missing")
    expect.one_of(cursor["phase"], f"{CURSOR}: phase", PHASES)
    expect.whole(cursor["unit"], f"{CURSOR}: unit")
    expect.whole(cursor["epoch"], f"{CURSOR}: epoch")
    if not isinstance(cursor.get("diverged", False), bool):
        raise refusal(CURSOR, f"diverged: expected true or false, found {shown(cursor['diverged'])}")
    return cursor
