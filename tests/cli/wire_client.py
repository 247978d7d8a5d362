"""Connections that speak each of the three framings, request by request or many at once."""
import socket
import struct
import time

DEADLINE_S = 30
AT_ONCE = 200  # requests that are under way: fewer than the servers take

THFT_V0, THFT_V1, RDSN = "THFT 0", "THFT 1", "RDSN"
FRAMINGS = (THFT_V0, THFT_V1, RDSN)


def message(name, number, kind=1):
    return struct.pack(">Ii", 0x80010000 | kind, len(name)) + name + struct.pack(">i", number)


def meta_v1(app_id, partition):
    return struct.pack(">bhibhibhi", 8, 1, app_id, 8, 2, partition, 8, 3, 1000) + b"\0"


def frame_v0(app_id, partition, behind, header_size=48, version=0, size=None):
    size = len(behind) if size is None else size
    return struct.pack(">4sIIIIIiiiiQ", b"THFT", version, header_size, 0, size, 0, app_id, partition, 1000, 0,
                       0) + behind


def frame_v1(meta, behind, version=1, meta_size=None, size=None):
    meta_size = len(meta) if meta_size is None else meta_size
    size = len(behind) if size is None else size
    return struct.pack(">4sIII", b"THFT", version, meta_size, size) + meta + behind


def frame_rdsn(name, number, app_id, partition, body, header_size=192, size=None, context=0x441, crc=(0, 0)):
    size = len(body) if size is None else size
    return (struct.pack("<4sIIIIIQQ48sIIiiQQiiQ", b"RDSN", 0, header_size, crc[0], size, crc[1], number, 0, name, 0, 0,
                        app_id, partition, context, 0, 1000, 0, 0) + bytes(56) + body)


def frame(framing, name, number, app_id, partition, body):
    name = name.encode()
    if framing == RDSN:
        return frame_rdsn(name, number, app_id, partition, body)
    behind = message(name, number) + body
    return frame_v0(app_id, partition, behind) if framing == THFT_V0 else frame_v1(meta_v1(app_id, partition), behind)


class NoAnswer(AssertionError):
    pass


class Reply:
    """An answer's number, RPC-level error, name and body."""

    def __init__(self, framing, data):
        if framing == RDSN:
            self.number, = struct.unpack_from("<Q", data, 24)
            self.name = data[40:88].split(b"\0")[0].decode()
            self.error = data[136:184].split(b"\0")[0].decode()
            self.body = data[192:]
            return
        size = struct.unpack_from(">i", data, 4)[0]
        self.error, at = data[8:8 + size].decode(), 8 + size
        size = struct.unpack_from(">i", data, at + 4)[0]
        self.name, at = data[at + 8:at + 8 + size].decode(), at + 8 + size
        self.number, self.body = struct.unpack_from(">i", data, at)[0], data[at + 4:]


class Wire:
    """A connection. `app_id` and `partition` go into every header."""

    def __init__(self, address, framing, app_id=0, partition=0):
        host, port = address.rsplit(":", 1)
        self.framing, self.app_id, self.partition, self.number = framing, app_id, partition, 0
        self.socket = socket.create_connection((host, int(port)), DEADLINE_S)
        self.kept = bytearray()

    def close(self):
        self.socket.close()

    def take(self, count, end):
        while len(self.kept) < count:
            self.socket.settimeout(max(0.001, end - time.monotonic()))
            try:
                piece = self.socket.recv(1 << 18)
            except TimeoutError:
                raise NoAnswer(f"no answer within {DEADLINE_S} s") from None
            except OSError as error:
                raise NoAnswer(f"the connection broke: {error}") from error
            if not piece:
                raise NoAnswer("the server closed the connection")
            self.kept += piece

    def receive(self, end):
        if self.framing == RDSN:
            self.take(192, end)
            size = 192 + struct.unpack_from("<I", self.kept, 16)[0]
        else:
            self.take(4, end)
            size = struct.unpack_from(">i", self.kept)[0]
        self.take(size, end)
        data = bytes(self.kept[:size])
        del self.kept[:size]
        return Reply(self.framing, data)

    def ask_all(self, name, bodies, answered=True):
        """The answers, in the order of the bodies. Not answered: an answer to any is a failure."""
        replies = []
        for begin in range(0, len(bodies), AT_ONCE):
            replies += self.ask_some(name, bodies[begin:begin + AT_ONCE], answered)
        return replies

    def ask_some(self, name, bodies, answered):
        first, end = self.number + 1, time.monotonic() + DEADLINE_S
        self.number += len(bodies)
        self.socket.settimeout(DEADLINE_S)
        self.socket.sendall(b"".join(frame(self.framing, name, first + index, self.app_id, self.partition, body)
                                     for index, body in enumerate(bodies)))
        if not answered:
            return []
        replies = {}
        while len(replies) < len(bodies):
            try:
                reply = self.receive(end)
            except NoAnswer as why:
                missing = next(index for index in range(len(bodies)) if first + index not in replies)
                raise NoAnswer(f"{why}: {name} {self.framing} {bodies[missing][:300].hex()}") from None
            if not first <= reply.number < first + len(bodies) or reply.number in replies:
                raise NoAnswer(f"an answer that nobody asked for: {reply.name} {reply.number}")
            replies[reply.number] = reply
        return [replies[first + index] for index in range(len(bodies))]

    def next_reply(self):
        return self.receive(time.monotonic() + DEADLINE_S)

    def ask(self, name, body):
        return self.ask_all(name, [body])[0]

    def answers_then_end(self, data, finished=False):
        """Sends these bytes; what comes back until the server closes. None: it stays open."""
        self.socket.settimeout(DEADLINE_S)
        got = bytearray()
        try:
            self.socket.sendall(data)
            if finished:
                self.socket.shutdown(socket.SHUT_WR)
            while piece := self.socket.recv(1 << 16):
                got += piece
        except TimeoutError:
            return None
        except OSError:
            pass  # closed with bytes of ours unread
        return bytes(got)
