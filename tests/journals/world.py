"""Two clusters, an object store and a journal in one folder, as make.py leaves them and the tests find them."""
import contextlib
import json
import os
import shutil
import sqlite3
import urllib.request

import harness
from object_store import CREDENTIALS, ObjectStore

# Where make.py has them; options in the journal name these.
FOLDER = "/tmp/pegmove-world"
PORTS = {"A": 34601, "B": 35601}
METAS = {name: f"127.0.0.1:{port}" for name, port in PORTS.items()}

os.environ.update(CREDENTIALS)


class PlacedCluster(harness.Cluster):
    """An embedded cluster at a port of the caller's choice."""

    def __init__(self, folder, name, meta_port, more):
        self.meta_port = meta_port
        super().__init__(folder, name, replicas=2, more=[*more, "--replica-port", meta_port + 1])


class World:
    """Folder `folder` holds data-A, data-B, objects and journal.db, or gets them."""

    def __init__(self, folder, ports):
        self.folder = folder
        self.state = os.path.join(folder, "journal.db")
        self.objects = ObjectStore(os.path.join(folder, "objects"))
        self.ports = ports
        self.metas = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
        self.configs = {name: self.write_config(name) for name in ports}
        self.clusters = {}

    def write_config(self, name):
        """Of one of the clusters; pegmove's own verbs take that of A."""
        path = os.path.join(self.folder, f"{name}.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[pegasus.clusters]\nA = {self.metas['A']}\nB = {self.metas['B']}\n"
                       "[duplication-group]\nA = 1\nB = 2\n"
                       f"[replication]\ncold_backup_root = Cluster{name}\n"
                       f"[block_service.objects]\ntype = s3_service\nargs = {self.objects.args}\n")
        return path

    def start(self):
        for name, port in self.ports.items():
            if name not in self.clusters:
                self.clusters[name] = PlacedCluster(self.folder, name, port, ["--config", self.configs[name]])
                self.set_up(name)

    def set_up(self, name):
        """Tables are loaded one at a time unless this is set, and it is not kept over restarts."""
        url = f"http://{self.metas[name]}/updateConfig?enable_concurrent_bulk_load=true"
        with urllib.request.urlopen(url, timeout=10) as answer:
            answer.read()

    def close(self):
        for cluster in self.clusters.values():
            cluster.kill()
        self.objects.close()

    # The program

    def run_words(self, *words, **more):
        """With the folder's configuration, which verbs find in their working directory."""
        shutil.copyfile(self.configs["A"], os.path.join(self.folder, "config.ini"))
        return harness.run_program(words, self.folder, **more)

    def done(self, *words, codes=(0,), **more):
        outcome = self.run_words(*words, **more)
        if outcome.code not in codes:
            raise AssertionError(str(outcome))
        return outcome

    def shell(self, cluster, text):
        return self.done("shell", "--cluster", cluster, "-e", text).out

    def asked_meta(self, cluster, command):
        """What the meta server says to a remote command that answers with JSON."""
        answer = json.loads(self.shell(cluster, f"remote_command -t meta-server {command}"))
        return next(iter(answer["details"].values()))["message"]

    # The journal, as the SQLite file that it is

    def ask(self, query, *values):
        with contextlib.closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True, timeout=20)) as connection:
            return connection.execute(query, values).fetchall()
