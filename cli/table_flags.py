"""Messages about columns, in the words of the command line."""

import re


def in_table_flags(message: str) -> str:
    """A message of the library with its arguments about columns as the flags that they are here."""
    message = message.replace("label_column='none'", "--label-column none")
    return re.sub(r"""drop=\[(['"])(.*?)\1\]""", _drop_flag, message)


def _drop_flag(match: re.Match[str]) -> str:
    name = match[2]
    return f"--drop '{name}'" if re.search(r"[^\w.%+-]", name) else f"--drop {name}"
