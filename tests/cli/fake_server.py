"""A server that speaks RDSN frames and does what a test wants with them.

A frame is a header of 192 bytes (little endian) and a body. A body is a Thrift struct (binary
protocol, big endian) with one field, number 0.
"""
import socket
import struct
import threading

HEADER_SIZE = 192
BOOL, I32, I64, STRING, STRUCT, LIST = 2, 8, 10, 11, 12, 15


def field(kind, number, payload):
    return struct.pack(">bh", kind, number) + payload


def text(value):
    return struct.pack(">i", len(value)) + value.encode()


def i32(value):
    return struct.pack(">i", value)


def i64(value):
    return struct.pack(">q", value)


def list_of(kind, items):
    return struct.pack(">bi", kind, len(items)) + b"".join(items)


def body_of(fields):
    """A reply's body: the result, whose fields are given, as field 0."""
    return field(STRUCT, 0, b"".join(fields) + b"\0") + b"\0"


def ok_error():
    return field(STRUCT, 1, text("ERR_OK"))


def cluster_info(name):
    return body_of([ok_error(), field(LIST, 2, list_of(STRING, [text("cluster_name")])),
                    field(LIST, 3, list_of(STRING, [text(name)]))])


def query_config(app_id, count, port):
    """A table all of whose partitions are on 127.0.0.1:port."""
    address = i64(0x7F000001 << 32 | port << 16 | 1)
    partitions = [b"".join([field(STRUCT, 1, i64(index << 32 | app_id)), field(I64, 2, i64(3)),
                            field(I32, 3, i32(1)), field(STRUCT, 4, address),
                            field(LIST, 5, list_of(STRUCT, [])), field(LIST, 6, list_of(STRUCT, [])),
                            field(I64, 7, i64(0)), b"\0"])
                  for index in range(count)]
    return body_of([ok_error(), field(I32, 2, i32(app_id)), field(I32, 3, i32(count)),
                    field(BOOL, 4, b"\1"), field(LIST, 5, list_of(STRUCT, partitions))])


def written():
    """The reply to PUT and MULTI_PUT."""
    return body_of([field(I32, 1, i32(0)), field(I32, 2, i32(1)), field(I32, 3, i32(0)),
                    field(I64, 4, i64(1)), field(STRING, 5, text("127.0.0.1:1"))])


def mechanisms():
    """SASL_LIST_MECHANISMS_RESP: what a server answers that demands authentication."""
    return body_of([field(I32, 1, i32(2)), field(STRUCT, 2, text("GSSAPI"))])


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("closed")
        data += piece
    return data


class Listener:
    """Calls serve(connection) on a thread for each connection, until close()."""

    def __init__(self):
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            self.threads.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
            self.threads[-1].start()

    def close(self):
        for one in [self.listener, *self.connections]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        for thread in self.threads:
            thread.join(10)


class FakeServer(Listener):
    """Calls answer(server, rpc_name) for each request; sends the body that it returns, or nothing."""

    def __init__(self, answer):
        self.answer, self.names = answer, []
        self.asked = threading.Event()
        super().__init__()

    def serve(self, connection):
        try:
            while True:
                header = read_exactly(connection, HEADER_SIZE)
                read_exactly(connection, struct.unpack_from("<I", header, 16)[0])
                name = header[40:88].rstrip(b"\0").decode()
                self.names.append(name)
                self.asked.set()
                body = self.answer(self, name)
                if body is not None:
                    connection.sendall(reply_header(header, name, len(body)) + body)
        except (ConnectionError, OSError):
            pass
        finally:
            connection.close()


def reply_header(request, name, size):
    header = bytearray(request)
    struct.pack_into("<I", header, 12, 0)
    struct.pack_into("<II", header, 16, size, 0)
    struct.pack_into("<48s", header, 40, (name + "_ACK").encode())
    struct.pack_into("<Q", header, 104, 0x440)
    struct.pack_into("<48s", header, 136, b"ERR_OK")
    struct.pack_into("<II", header, 184, 0, 0)
    return bytes(header)
