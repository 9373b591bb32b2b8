"""Refuses network sockets in the interpreter that imports it.

Where `SLE_KG_LOOPBACK` is set, as for the tests of Spark, whose Python talks to its Java, the loopback stays allowed.
"""

import os
import socket
import sys

LOOPBACK = bool(os.environ.get("SLE_KG_LOOPBACK"))
HERE = ("127.0.0.1", "::1", "localhost")


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Raise at the first attempt to open a network socket or to ask for an address; local pipes stay allowed."""
    if event == "socket.__new__" and arguments[1] != socket.AF_UNIX and not LOOPBACK:
        raise RuntimeError("a network socket was opened: sle-kg never uses the network")
    if event in ("socket.connect", "socket.bind", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in HERE:
            raise RuntimeError(f"the network address {address[0]} was used: sle-kg never uses the network")
    if event == "socket.getaddrinfo" and not (LOOPBACK and arguments[0] in HERE):
        raise RuntimeError(f"the address of {arguments[0]} was asked for: sle-kg never uses the network")


sys.addaudithook(refuse_network)
