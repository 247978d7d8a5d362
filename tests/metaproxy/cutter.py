"""A TCP proxy in front of ZooKeeper that is cut off, or goes silent, when the test says so."""
import contextlib
import select
import socket
import threading

PASS, CUT, SILENT = "pass", "cut", "silent"


class Cutter:
    def __init__(self, to_port):
        self.to_port, self.mode, self.is_ending = to_port, PASS, False
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.threads, self.seen = [], 0  # seen: connections so far
        self.threads.append(threading.Thread(target=self.accept))
        self.threads[0].start()

    def accept(self):
        while not self.is_ending:
            if not select.select([self.listener], [], [], 0.02)[0]:
                continue
            client, _ = self.listener.accept()
            self.seen += 1
            thread = threading.Thread(target=self.relay, args=(client,))
            self.threads.append(thread)
            thread.start()

    def relay(self, client):
        with contextlib.ExitStack() as stack:
            stack.enter_context(client)
            try:
                server = stack.enter_context(socket.create_connection(("127.0.0.1", self.to_port), timeout=10))
                while not self.is_ending and self.mode != CUT:
                    if self.mode == SILENT:
                        select.select([], [], [], 0.02)
                        continue
                    for ready in select.select([client, server], [], [], 0.02)[0]:
                        piece = ready.recv(65536)
                        if not piece:
                            return
                        (server if ready is client else client).sendall(piece)
            except OSError:
                return

    def close(self):
        self.is_ending = True
        for thread in list(self.threads):
            thread.join()
        self.listener.close()
