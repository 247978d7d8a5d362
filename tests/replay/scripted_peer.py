"""A cluster that answers as a recorded one did: the other side of the replayed one. It takes RDSN frames on a port for
its meta server and one for its replica server, and keeps what it was asked. As real servers do, it says its time in
GET /metrics on the same ports: our source asks for it, so that nothing leaves before its time has come there."""
import contextlib
import json
import socket
import struct
import threading
import time

from rdsn import RdsnRequest, frames_of
from thrift import ThriftError


class Asked:
    """A request that came. `part` is "meta" or "replica"."""

    def __init__(self, number, part, request):
        self.number, self.part, self.request = number, part, request


class Closed(Exception):
    """Raised by an answering function: the connection is closed instead."""


def patched(body, old_port, new_port):
    """A recorded body with another port in each address on loopback: rpc_address and host_port `localhost`."""
    old, new = (struct.pack(">H", port) for port in (old_port, new_port))
    return body.replace(b"\x7f\0\0\1" + old + b"\0\1", b"\x7f\0\0\1" + new + b"\0\1") \
               .replace(b"localhost" + old + b"\1", b"localhost" + new + b"\1") \
               .replace(b"localhost:%d" % old_port, b"localhost:%d" % new_port)


def answer_http(stream):
    request = b""
    while b"\r\n\r\n" not in request and (piece := stream.recv(1 << 12)):
        request += piece
    is_known = request.startswith(b"GET /metrics")
    body = json.dumps({"timestamp_ns": time.time_ns(), "entities": []}).encode() if is_known else b""
    status = b"200 OK" if is_known else b"404 Not Found"
    stream.sendall(b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                   b"Connection: close\r\n\r\n" % (status, len(body)) + body)


class ScriptedPeer:
    """`answer(asked)` gives (body, error) of the answer, None for no answer, or raises Closed. It is called with the
    lock held, one at a time, in the order in which the requests are kept in `asked`."""

    def __init__(self, idl, codes, answer):
        self.idl, self.codes, self.answer = idl, codes, answer
        self.lock, self.asked, self.troubles, self.open = threading.Condition(), [], [], set()
        self.listeners = {part: socket.create_server(("127.0.0.1", 0)) for part in ("meta", "replica")}
        self.ports = {part: listener.getsockname()[1] for part, listener in self.listeners.items()}
        for part in self.listeners:
            threading.Thread(target=self.accept, args=(part,), daemon=True).start()

    def close(self):
        with self.lock:
            streams = [*self.listeners.values(), *self.open]
        for stream in streams:
            with contextlib.suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)
            stream.close()

    def accept(self, part):
        with contextlib.suppress(OSError):  # closed
            while True:
                stream, _ = self.listeners[part].accept()
                stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self.lock:
                    self.open.add(stream)
                threading.Thread(target=self.serve, args=(part, stream), daemon=True).start()

    def serve(self, part, stream):
        try:
            with stream:
                if stream.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) == b"GET ":
                    answer_http(stream)
                    return
                for frame in frames_of(stream):
                    with self.lock:
                        reply = self.reply_to(part, frame)
                    if reply is not None:
                        stream.sendall(reply)
        except Closed:
            pass
        except OSError:
            pass  # the other side has gone
        except ThriftError as error:
            with self.lock:
                self.troubles.append(f"{part}: {error}")
        finally:
            with self.lock:
                self.open.discard(stream)

    def reply_to(self, part, frame):
        request = RdsnRequest(self.idl, self.codes, frame)
        asked = Asked(len(self.asked), part, request)
        self.asked.append(asked)
        answer = self.answer(asked)
        return None if answer is None else request.answered(*answer, port=self.ports[part])

    def named(self, name):
        """The requests of this name so far."""
        with self.lock:
            return [one for one in self.asked if one.request.name == name]
