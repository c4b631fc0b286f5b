"""The door to `proself-mail teardown`, for those who look for scripts."""

import sys

from proself_mail.cli import main

if __name__ == "__main__":
    main(["teardown", *sys.argv[1:]])
