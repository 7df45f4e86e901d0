"""`python -m tuneline` is the command line."""

from tuneline.cli import main

main()
