"""``--config FILE.toml``: any option of a command, under its flag's name; flags on the command line win.

Keys stand at the top of the file, or in a table named after the command, so that one file can serve a whole run.
"""

from pathlib import Path
from typing import Any

import click

from stacked.errors import SettingError

_FILE = "stacked.config"  # in the context's notes
MAX_BYTES = 1 << 20


def apply_config(ctx: click.Context, param: click.Parameter, path: str | None) -> None:
    """Make the file's values the command's defaults. A key that is no option is a usage error."""
    if path is None:
        return
    ctx.meta[_FILE] = path
    table = _read(path)
    from . import COMMANDS

    tables = {key: table.pop(key) for key in COMMANDS if isinstance(table.get(key), dict)}
    names = _option_names(ctx.command)
    values: dict[str, Any] = {}
    for key, value in [*table.items(), *tables.get(str(ctx.command.name), {}).items()]:
        name = names.get(key.replace("-", "_"))
        if name is None:
            raise click.UsageError(f"{path}: {ctx.command.name} has no option {key!r}", ctx)
        values[name] = value
    ctx.default_map = {**(ctx.default_map or {}), **values}


def config_file() -> str | None:
    """The file that the running command was configured from."""
    ctx = click.get_current_context(silent=True)
    return None if ctx is None else ctx.meta.get(_FILE)


def _read(path: str) -> dict[str, Any]:
    import tomllib

    try:
        with Path(path).open("rb") as file:
            block = file.read(MAX_BYTES + 1)
        if len(block) > MAX_BYTES:
            raise SettingError(f"{path}: expected a TOML file of at most {MAX_BYTES:,} bytes, found a longer one")
        return tomllib.loads(block.decode("utf-8").replace("\r\n", "\n"))
    except OSError as error:
        raise SettingError(f"{path}: expected a TOML file, found that it cannot be read: {error.strerror}") from None
    except RecursionError:
        raise SettingError(f"{path}: expected TOML, found lists within lists without end") from None
    except ValueError as error:
        if isinstance(error, SettingError):
            raise
        raise SettingError(f"{path}: expected TOML, found {error}") from None


def _option_names(command: click.Command) -> dict[str, str]:
    """Parameter name by each of its spellings, the flag's and its own, with underscores."""
    names = {}
    for param in command.params:
        if param.name not in (None, "config", "help"):
            for spelling in (param.name, *(opt.lstrip("-").replace("-", "_") for opt in param.opts)):
                names[spelling] = str(param.name)
    return names
