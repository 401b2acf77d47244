"""`python -m wireproxy`: the same as the command."""

from wireproxy.cli import main

main()
