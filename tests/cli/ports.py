"""Ports for servers whose place must be known before they start."""
import contextlib
import random
import socket


def free_ports(count):
    """The first of a run of free ports. Systems give none of them to outgoing connections, so that they stay free
    while their server is away."""
    for _ in range(1000):
        base = random.randrange(10_000, 32_000)
        with contextlib.ExitStack() as held:
            try:
                for port in range(base, base + count):
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
                return base
            except OSError:
                continue
    raise AssertionError("no free ports")
