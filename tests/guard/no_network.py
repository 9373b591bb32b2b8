"""Refuses network sockets in the interpreter that imports it."""

import socket
import sys


def refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    """Raise at the first attempt to open a network socket or to ask for an address; local pipes stay allowed."""
    if event == "socket.__new__" and arguments[1] != socket.AF_UNIX:
        raise RuntimeError("a network socket was opened: sle-kg never uses the network")
    if event == "socket.getaddrinfo":
        raise RuntimeError(f"the address of {arguments[0]} was asked for: sle-kg never uses the network")


sys.addaudithook(refuse_network)
