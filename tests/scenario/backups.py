"""What the scenarios of backups share: clusters with a block store, jobs that are watched, and what
lies in the store, read without pegmove."""
import glob
import hashlib
import json
import os
import pathlib
import re
import signal

from scenario import Scenario
from tables import many_rows

SOURCES = pathlib.Path(__file__).parents[2] / "src"


def steps(kind, header="backup/failpoints.h"):
    """The steps at which --die-at can end a backup, a restore, a load or a split, as the sources list them."""
    text = (SOURCES / header).read_text(encoding="utf-8")
    return sorted(re.findall(rf'"({kind}\.\w+)"', text))


class Backups(Scenario):
    """Cluster A with a folder as its block store `local`, whose cold_backup_root is ClusterA."""

    REPLICAS = (2, 1)
    PARTITIONS = 4
    ROWS = 20_000
    MORE_INI = ""

    def setUp(self):
        super().setUp()
        self.meta = f"--cluster={self.a.meta}"

    def cluster_options(self):
        self.store = os.path.join(self.folder, "store")
        self.config = os.path.join(self.folder, "backups.ini")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write("[replication]\ncold_backup_root = ClusterA\n"
                       f"[block_service.local]\ntype = local_service\nargs = {self.store}\n{self.MORE_INI}")
        return ("--config", self.config)

    def fill(self, value_size=200):
        self.load(self.a, "t", many_rows(self.ROWS, value_size=value_size), self.PARTITIONS)

    # Steering

    def shell(self, text, cluster=None):
        return self.done("shell", "--cluster", (cluster or self.a).meta, "-e", text).out

    def backup_words(self, *more):
        return ["backup", "--from", self.a.meta, "--table", "t", "--store", "local", "--config", self.config,
                "--state", self.state, *more]

    def backed_up(self, *more):
        """A backup that must succeed; its report."""
        return json.loads(self.done(*self.backup_words("--json", "--quiet", *more)).out)

    def restore_words(self, to_table, *more, cluster=None, table="t"):
        return ["restore", "--to", (cluster or self.a).meta, "--store", "local", "--cluster", "ClusterA",
                "--table", table, "--to-table", to_table, "--config", self.config, "--state", self.state, *more]

    def restored(self, to_table, *more, cluster=None, table="t"):
        return json.loads(self.done(*self.restore_words(to_table, "--json", "--quiet", *more, cluster=cluster,
                                                        table=table)).out)

    def remote(self, command, *arguments, cluster=None, kind="meta-server"):
        """What the servers answer to a remote command: a value an answering server."""
        words = " ".join([command, *map(str, arguments)])
        answer = json.loads(self.shell(f"remote_command -t {kind} {words}", cluster))
        return [node["message"] for node in answer["details"].values()]

    def job(self, backup_id=None):
        """The newest job of the table, or one of them, as the meta server tells it."""
        jobs = self.remote("backup.status")[0]
        found = [job for job in jobs if backup_id in (None, job["backup_id"])]
        return found[-1] if found else None

    def wait_for_job(self, state, limit_s=60):
        return self.look_until(lambda: (job := self.job()) and job["state"] == state and job, f"a backup {state}",
                               limit_s=limit_s)

    def limit_uploads(self, megabytes):
        self.remote("nfs.max_send_rate_megabytes_per_disk", megabytes, kind="replica-server")

    # Ends of the cluster

    def start_to_die_at(self, step):
        """The cluster anew, which will kill itself, as kill -9 does, when the step is done."""
        self.a.stop()
        self.a.more += ["--die-at", step]
        self.a.start()

    def wait_for_death(self):
        code = self.a.process.process.wait(timeout=60)
        self.assertEqual(code, -signal.SIGKILL, "the step was not reached")
        self.a.kill()
        del self.a.more[-2:]

    # The store, without pegmove

    def table_folder(self, backup_id, table="t"):
        found = glob.glob(os.path.join(self.store, "ClusterA", str(backup_id), f"{table}_*"))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def data_files(self):
        """The files of checkpoints that are whole in the store: path to size. By their sidecars."""
        found = {}
        for sidecar in glob.glob(os.path.join(self.store, "**", "chkpt_*", ".*.meta"), recursive=True):
            folder, name = os.path.split(sidecar)
            path = os.path.join(folder, name[1:-len(".meta")])
            if os.path.basename(path) != "backup_metadata":
                found[path] = os.path.getsize(path)
        return found

    def check_files(self, backup_id, table="t"):
        """Every file of the backup against its metadata and its sidecar; the bytes of all."""
        folder, total = self.table_folder(backup_id, table), 0
        for partition in range(self.PARTITIONS):
            base = os.path.join(folder, str(partition))
            current = pathlib.Path(base, "current_checkpoint").read_text(encoding="utf-8")
            metadata = json.loads(pathlib.Path(base, current, "backup_metadata").read_text(encoding="utf-8"))
            for file in metadata["files"]:
                data = pathlib.Path(base, current, file["name"]).read_bytes()
                sidecar = json.loads(pathlib.Path(base, current, f".{file['name']}.meta").read_text(encoding="utf-8"))
                md5 = hashlib.md5(data).hexdigest()
                self.assertEqual((len(data), md5), (file["size"], file["md5"]), file)
                self.assertEqual(sidecar, {"md5": md5, "size": len(data)})
                total += len(data)
            self.assertEqual(metadata["checkpoint_total_size"], sum(file["size"] for file in metadata["files"]))
        return total
