"""``python -m gateway.app`` is the command line."""

from gateway.app.cli import main

main(prog_name="trunkline")
