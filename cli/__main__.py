"""``python -m stacked.cli``, the same as ``stacked``."""

from . import main

main(prog_name="stacked")
