"""``python -m stacked``: the command line."""

from stacked.cli import main

main()
