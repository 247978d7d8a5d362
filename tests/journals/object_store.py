"""An S3 server for tests: a bucket that is a folder, whose requests can be held back or refused."""
import hashlib
import http.server
import os
import re
import sys
import threading
import urllib.parse
from xml.sax.saxutils import escape

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # signatures are not checked


class ObjectStore:
    """Serves the files below `folder` as the objects of one bucket until close().

    page_keys: the most that a list holds; no_token: such a list names no token for the next one, and a
    marker is ignored, too."""
    BUCKET = "bucket"

    def __init__(self, folder, page_keys=1000, no_token=False):
        self.folder, self.page_keys, self.no_token = folder, page_keys, no_token
        os.makedirs(folder, exist_ok=True)
        self.answers = {}  # pattern of "METHOD key" to a status: what is answered instead
        self.server = Server(("127.0.0.1", 0), type("Handler", (Handler,), {"store": self}))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def args(self):
        """As [block_service.NAME] has them."""
        return f"http://127.0.0.1:{self.server.server_address[1]} {self.BUCKET} style=path"

    def hold(self, pattern):
        """Requests for such keys are to be tried again later; pattern: of "METHOD key"."""
        self.answers[pattern] = 503

    def refuse(self, pattern):
        self.answers[pattern] = 403

    def release(self, pattern):
        del self.answers[pattern]

    def answer_instead(self, method, key):
        """By the newest pattern; None: what the request is for."""
        return next((status for pattern, status in reversed(list(self.answers.items()))
                     if re.search(pattern, f"{method} {key}")), None)

    def keys(self):
        return sorted(os.path.relpath(os.path.join(folder, name), self.folder)
                      for folder, _, names in os.walk(self.folder) for name in names if not name.endswith(".part"))

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # connections of a whole cluster come at once

    def handle_error(self, request, client_address):
        """A client that is killed in mid-request is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes
    store = None

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fail(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code></Error>".encode())

    def asked(self):
        """The key and the query; None when an answer has been given already."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urllib.parse.urlsplit(self.path)
        bucket, _, key = urllib.parse.unquote(parts.path).lstrip("/").partition("/")
        if bucket != self.store.BUCKET or ".." in key.split("/"):
            return self.fail(404, "NoSuchBucket")
        status = self.store.answer_instead(self.command, key)
        if status:
            return self.fail(status, "SlowDown" if status == 503 else "AccessDenied")
        return key, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))

    def find(self, key):
        """What the object holds; None when there is none, which has been answered then."""
        try:
            with open(os.path.join(self.store.folder, key), "rb") as file:
                return file.read()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return self.fail(404, "NoSuchKey")

    def do_GET(self):
        asked = self.asked()
        if asked is None:
            return
        key, query = asked
        if not key:
            self.list(query)
            return
        content = self.find(key)
        if content is None:
            return
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not found:
            self.answer(200, content)
        elif int(found[1]) >= len(content):
            self.fail(416, "InvalidRange")
        else:
            self.answer(206, content[int(found[1]):int(found[2]) + 1])

    def do_HEAD(self):
        asked = self.asked()
        if asked is None:
            return
        content = self.find(asked[0])
        if content is not None:
            md5 = hashlib.md5(content).hexdigest()
            self.answer(200, headers=[("ETag", f'"{md5}"'), ("x-amz-meta-md5", md5)], length=len(content))

    def do_PUT(self):
        asked = self.asked()
        if asked is None:
            return
        path = os.path.join(self.store.folder, asked[0])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        part = f"{path}.{threading.get_ident()}.part"
        with open(part, "wb") as file:
            file.write(self.body)
        os.replace(part, path)
        self.answer(200, headers=[("ETag", f'"{hashlib.md5(self.body).hexdigest()}"')])

    def do_DELETE(self):
        asked = self.asked()
        if asked is None:
            return
        try:
            os.remove(os.path.join(self.store.folder, asked[0]))
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            pass  # as S3
        self.answer(204)

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        sizes = {}  # by name; None: a folder
        for key in self.store.keys():
            if not key.startswith(prefix):
                continue
            head, found, _ = key[len(prefix):].partition(delimiter) if delimiter else (key, "", "")
            if found:
                sizes[prefix + head + delimiter] = None
            else:
                sizes[key] = os.path.getsize(os.path.join(self.store.folder, key))
        after = "" if self.store.no_token else query.get("continuation-token", "")
        names = sorted(name for name in sizes if name > after)
        page = names[:min(self.store.page_keys, int(query["max-keys"]))]
        shown = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" if sizes[name] is None else
                        f"<Contents><Key>{escape(name)}</Key><Size>{sizes[name]}</Size></Contents>" for name in page)
        is_cut = len(page) < len(names)
        if is_cut and not self.store.no_token:
            shown += f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>"
        shown += f"<IsTruncated>{str(is_cut).lower()}</IsTruncated>"
        self.answer(200, f"<ListBucketResult>{shown}</ListBucketResult>".encode())
