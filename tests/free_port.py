"""A port for a program that is told where to listen."""

import contextlib
import random
import socket

_BELOW_EPHEMERAL = range(20000, 30000)
"""Of no connection that anybody makes: those have higher ones on every system."""


def free_port() -> int:
    """Return a port of loopback where nothing listens, and no connection of others comes to be."""
    while True:
        port = random.choice(_BELOW_EPHEMERAL)  # noqa: S311
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
