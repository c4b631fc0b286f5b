"""The door to `proself-mail rotate`, with its options."""

import sys

from proself_mail.cli import main

if __name__ == "__main__":
    main(["rotate", *sys.argv[1:]])
