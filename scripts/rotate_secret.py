"""Rotate secrets: `python scripts/rotate_secret.py --stack STACK`, which is `proself-mail rotate`."""

import sys

from proself_mail.cli import main

if __name__ == "__main__":
    main(["rotate", *sys.argv[1:]])
