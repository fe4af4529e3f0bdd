"""Pull the network plug: every connection that leaves this machine is refused.

Python imports a module of this name at its start. conftest.py puts this folder on PYTHONPATH, so
the tests, every process they start and every notebook kernel run unplugged, on every system.
"""

import errno
import ipaddress
import os
import sys


def _stays_here(host: str | bytes | None) -> bool:
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    if host in (None, "", "localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name: asking for its address is already a use of the network
    return address.is_loopback or address.is_unspecified


def _refuse(event: str, args: tuple) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        host = address[0] if isinstance(address, tuple) else None  # a Unix socket has no host
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _stays_here(host):
        raise OSError(errno.ENETUNREACH, f"The tests run unplugged: no connection to {host!r}")


if os.environ.get("MINIGPT_UNPLUGGED") == "1":
    sys.addaudithook(_refuse)
