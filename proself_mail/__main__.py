"""`python -m proself_mail`: the command line, where its script is not on PATH."""

from proself_mail.cli import main

main()
