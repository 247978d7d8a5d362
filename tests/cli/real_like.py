"""A meta server as real ones are: it does not know the remote commands that pegmove's own has. Two proxies on
loopback: one that changes the names of those commands on their way to the server, and one whose answers name
the first as the leader."""
import socket
import threading

UNKNOWN = {b"backup.status": b"no-such.thing", b"backup.cancel": b"no-such.thing",
           b"restore.status": b"no-such.thing1", b"bulk_load.status": b"no-such.command1"}


class Proxy:
    """Passes bytes on, each chunk with replacements of the same length."""

    def __init__(self, port, to_server=None, to_client=None):
        self.server, self.changes = port, (to_server or {}, to_client or {})
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server))
            except OSError:
                return
            self.sockets += [client, server]
            for one, other, changes in ((client, server, self.changes[0]), (server, client, self.changes[1])):
                threading.Thread(target=self.pump, args=(one, other, changes), daemon=True).start()

    @staticmethod
    def pump(one, other, changes):
        try:
            while data := one.recv(1 << 16):
                for text, instead in changes.items():
                    data = data.replace(text, instead)
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        for one in self.sockets:
            one.close()


class RealLike:
    def __init__(self, meta):
        port = int(meta.rsplit(":", 1)[1])
        self.leader = Proxy(port, to_server=UNKNOWN)
        self.front = Proxy(port, to_client={meta.encode(): f"127.0.0.1:{self.leader.port}".encode()})
        self.meta = f"127.0.0.1:{self.front.port}"

    def close(self):
        self.front.close()
        self.leader.close()
