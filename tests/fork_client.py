"""What stands where a Python program would, while a process of the fork server is that program.

It is to cost a hundredth of a second of a core, so it imports next to nothing. Run as
`python -I -S fork_client.py SOCKET [Python's arguments]`.
"""

import _signal  # type: ignore[import-not-found]  # `signal` takes as long as all the rest
import _socket
import marshal
import posix
import sys

_STREAMS = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))


def main() -> int:
    """Have the program run with what is ours, and pass signals on; return how it ended."""
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    server.connect(sys.argv[1])
    request = marshal.dumps((posix.getpid(), sys.argv[2:], posix.getcwdb(), dict(posix.environ)))
    server.sendmsg(
        [len(request).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, _STREAMS)]
    )
    server.sendall(request)
    for number in (_signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, lambda number, _: server.sendall(bytes([number])))
    status = server.recv(2)
    return int.from_bytes(status, "big", signed=True) if status else 1  # 1: the server is gone


if __name__ == "__main__":
    code = main()
    if code < 0:
        _signal.signal(-code, _signal.SIG_DFL)
        posix.kill(posix.getpid(), -code)
    posix._exit(code)
