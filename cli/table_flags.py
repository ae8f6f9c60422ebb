"""Messages about columns, in the words of the command line."""

import re


def in_table_flags(message: str) -> str:
    """A message of the library with its arguments about columns as the flags that they are here."""
    message = message.replace("label_column='none'", "--label-column none")
    message = re.sub(r"""drop=\[(['"])(.*?)\1\]""", lambda match: f"--drop {_quoted(match[2])}", message)
    return re.sub(r"""sequence_column=(['"])(.*?)\1""", lambda match: f"--sequence-column {_quoted(match[2])}", message)


def _quoted(name: str) -> str:
    return f"'{name}'" if re.search(r"[^\w.%+-]", name) else name
