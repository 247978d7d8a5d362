"""The world that pegmove 0.1.0 at a70f8de has left (tests/golden/journals), in a folder of its own, served by the
program that is tested."""
import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import tarfile
import tempfile
import unittest

from ports import free_ports
from world import FOLDER, METAS, World

ARCHIVE = pathlib.Path(__file__).parents[1] / "golden" / "journals" / "a70f8de.tar.gz"
# Requests to the object store without which jobs of clusters do not come to their end.
OF_BACKUPS, OF_RESTORES, OF_LOADS = "^PUT .*/chkpt_", "^GET .*/chkpt_", "^GET .*sst$"


class OldWorld(unittest.TestCase):
    """Unpacked once for a class, with both clusters; `held`: those requests must wait."""
    maxDiff = 4000
    held = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="pegmove-journals-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        with tarfile.open(ARCHIVE) as archive:
            # Debian 12's Python cannot filter yet; the archive is the tests' own.
            archive.extractall(cls.folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        os.makedirs(os.path.join(cls.folder, "work"))
        cls.world = World(cls.folder, {name: free_ports(3) for name in METAS})
        cls.addClassCleanup(cls.world.close)
        cls.move_journal(cls.world.state)
        with open(os.path.join(cls.folder, "runs.json"), encoding="utf-8") as file:
            cls.runs = json.load(file)
        for pattern in cls.held:
            cls.world.objects.hold(pattern)
        cls.start()

    @classmethod
    def start(cls):
        cls.world.start()

    @classmethod
    def move_journal(cls, path):
        """The clusters listen elsewhere than they did, and the folder is another."""
        places = {**{METAS[name]: meta for name, meta in cls.world.metas.items()}, FOLDER: cls.folder}
        with contextlib.closing(sqlite3.connect(path)) as journal:
            for before, now in places.items():
                journal.execute("UPDATE runs SET options = replace(options, ?, ?)", (before, now))
            journal.commit()

    # Runs, by the name of their situation

    def of(self, method):
        """The situations of a method: name behind the method's to run."""
        return {name.removeprefix(method + "_"): run for name, run in self.runs.items() if name.startswith(method + "_")}

    def pegmove(self, *words, **more):
        return self.world.run_words(*words, "--state", self.world.state, **more)

    def status(self, run):
        outcome = self.pegmove("status", run, "--json")
        self.assertEqual(outcome.code, 0, str(outcome))
        return json.loads(outcome.out)

    def state(self, run):
        return self.status(run)["state"]

    # Tables

    def rows(self, cluster, table):
        """(hash key, sort key) to (value, expiry)."""
        text = self.world.done("export", "--cluster", cluster, "--table", table, "--quiet", "-").out
        rows = (json.loads(line) for line in text.splitlines())
        return {(row["hash_key"], row["sort_key"]): (row["value"], row.get("expire_ts")) for row in rows}

    @property
    def source(self):
        """The rows of table t of A, which every run copied, compared, saved or loaded."""
        if not hasattr(type(self), "kept_source"):
            type(self).kept_source = self.rows("A", "t")
            self.assertEqual(len(self.kept_source), 300)
        return self.kept_source

    def tables(self):
        """The names of B's."""
        return re.findall(r'"app_name"\s*:\s*"([^"]*)"', self.world.shell("B", "ls -j"))

    def scenario(self, table):
        """rocksdb.usage_scenario of a table of B; None: not set."""
        shown = self.world.shell("B", f"use {table}; get_app_envs -j")
        return json.loads(shown[shown.index("{"):]).get("app_envs", {}).get("rocksdb.usage_scenario")

    def load(self, table):
        """The last bulk load of a table, as the meta server tells it."""
        return next((load for load in self.world.asked_meta("B", "bulk_load.status") if load["table"] == table), None)

    def job(self, table):
        """The backup of a table, as the meta server tells it."""
        return next((job for job in self.world.asked_meta("A", "backup.status") if job["table"] == table), None)
