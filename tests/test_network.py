"""The guard of conftest.py works: in the tests themselves and in the programs that they start."""

import socket
import subprocess
import sys

import pytest


def test_a_network_socket_is_refused():
    with pytest.raises(RuntimeError, match="never uses the network"):
        socket.socket()


def test_an_address_look_up_is_refused():
    with pytest.raises(RuntimeError, match="localhost"):
        socket.getaddrinfo("localhost", 80)


def test_a_program_started_by_a_test_is_refused_too():
    done = subprocess.run([sys.executable, "-c", "import socket; socket.socket()"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "never uses the network" in done.stderr
