#!/usr/bin/env python3
"""Real block stores for tests, on loopback: an HDFS (Hadoop's MiniDFSCluster) and an S3 server that
checks signatures (versitygw).

  peers.py install          fetches what is missing into the cache (minutes the first time)
  peers.py run COMMAND...   starts both, runs the command with their places in the environment
                            (PEGMOVE_TEST_HDFS, PEGMOVE_TEST_HDFS_RPC, PEGMOVE_TEST_HDFS_DATA,
                            PEGMOVE_TEST_S3, PEGMOVE_TEST_S3_FOLDER, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), ends both

The cache is $PEGMOVE_CACHE, else ~/.cache/pegmove.
"""
import contextlib
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
CACHE = pathlib.Path(os.environ.get("PEGMOVE_CACHE") or pathlib.Path.home() / ".cache" / "pegmove")
S3_MODULE = "github.com/versity/versitygw/cmd/versitygw"
S3_VERSION = "v1.8.0"
START_LIMIT_S = 90


def fail(text):
    sys.exit(f"peers: {text}")


def program(name, hint):
    return shutil.which(name) or fail(f"no program '{name}': {hint}")


def install_hdfs():
    """The jars; the folder gets its name when it is whole."""
    pom = HERE / "hdfs" / "pom.xml"
    folder = CACHE / f"hdfs-{hash_of(pom)}"
    if not folder.is_dir():
        print("peers: fetching HDFS (100 MB)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=made(CACHE)) as part:
            shutil.copy(pom, part)
            run([program("mvn", "apt-get install maven"), "-q", "-B", "dependency:copy-dependencies",
                 f"-DoutputDirectory={part}/lib"], part)
            os.rename(f"{part}/lib", folder)
    return folder


def install_s3():
    binary = CACHE / f"versitygw-{S3_VERSION}"
    if not binary.is_file():
        print("peers: building the S3 server (minutes)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=made(CACHE)) as part:
            run([program("go", "Go 1.21 or later must be installed"), "install", f"{S3_MODULE}@{S3_VERSION}"],
                part, GOBIN=part, GOFLAGS="-mod=mod")
            os.rename(f"{part}/versitygw", binary)
    return binary


def made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def hash_of(path):
    import hashlib
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def run(words, folder, **environment):
    done = subprocess.run(words, cwd=folder, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        fail(f"{words[0]} failed:\n{done.stdout.decode(errors='replace')[-3000:]}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def process(words, log, **options):
    """A process that is ended with the block, whatever becomes of it."""
    with open(log, "wb") as out:
        child = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=out, **options)
        try:
            yield child
        finally:
            child.stdin.close()  # HDFS ends by itself then
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.terminate()
                try:
                    child.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()


@contextlib.contextmanager
def hdfs(folder):
    """Yields the ports: HTTP and RPC of the name node, HTTP of the data node."""
    jars = install_hdfs()
    log = folder / "hdfs.log"
    words = [program("java", "apt-get install default-jdk-headless"), "-Xmx512m",
             "--add-opens", "java.base/java.lang=ALL-UNNAMED",
             f"-Dlog4j.configuration=file:{HERE}/hdfs/log4j.properties", "-cp", f"{jars}/*",
             str(HERE / "hdfs" / "MiniHdfs.java"), str(folder / "hdfs")]
    with process(words, log, stdout=subprocess.PIPE) as child:
        for line in child.stdout:
            if line.startswith(b"ready "):
                rpc, http, data = map(int, line.split()[1:])
                yield http, rpc, data
                return
        fail(f"HDFS did not start:\n{log.read_text(errors='replace')[-3000:]}")


def s3_is_up(port):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
    except urllib.error.HTTPError:
        return True  # it wants a signature
    except OSError:
        return False
    return True


@contextlib.contextmanager
def s3(folder, access_key, secret_key):
    """Yields the port. Buckets are folders below folder/s3."""
    port = free_port()
    root = made(folder / "s3")
    for bucket in ("backups", "small"):
        made(root / bucket)
    environment = {**os.environ, "ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key}
    words = [str(install_s3()), "--port", f"127.0.0.1:{port}", "posix", "--nometa", str(root)]
    words = [word for word in words if word != "--nometa"] if has_xattr(root) else [
        *words[:-2], "--sidecar", str(made(folder / "s3meta")), str(root)]
    with process(words, folder / "s3.log", stdout=subprocess.DEVNULL, env=environment) as child:
        deadline = time.monotonic() + START_LIMIT_S
        while not s3_is_up(port):
            if child.poll() is not None or time.monotonic() > deadline:
                fail(f"the S3 server did not start:\n{(folder / 's3.log').read_text(errors='replace')[-3000:]}")
            time.sleep(0.05)
        yield port


def has_xattr(folder):
    try:
        os.setxattr(folder, "user.pegmove-test", b"1")
        os.removexattr(folder, "user.pegmove-test")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def both():
    """The environment of whoever wants to use them."""
    access_key, secret_key = "AK" + secrets.token_hex(8), secrets.token_hex(20)
    with tempfile.TemporaryDirectory(prefix="pegmove-peers-", ignore_cleanup_errors=True) as name:
        folder = pathlib.Path(name)
        with hdfs(folder) as (http, rpc, data), s3(folder, access_key, secret_key) as port:
            yield {"PEGMOVE_TEST_HDFS": f"http://127.0.0.1:{http}",
                   "PEGMOVE_TEST_HDFS_RPC": f"127.0.0.1:{rpc}", "PEGMOVE_TEST_HDFS_DATA": str(data),
                   "PEGMOVE_TEST_S3": f"http://127.0.0.1:{port}", "PEGMOVE_TEST_S3_FOLDER": str(folder / "s3"),
                   "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}


def main(words):
    if words[:1] == ["install"]:
        install_hdfs()
        install_s3()
        return 0
    if words[:1] == ["run"] and len(words) > 1:
        with both() as environment:
            return subprocess.run(words[1:], env={**os.environ, **environment}).returncode
    fail(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
