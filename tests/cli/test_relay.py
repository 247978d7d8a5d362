"""pegmove relay: what it refuses before it begins."""
import os

from harness import CliTest


class Relay(CliTest):
    """A knows itself and B; C is in no [duplication-group], and D in one without A."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.a = cls.shared_cluster("A", more=cls.group("A = 1\nB = 2\n"))
        cls.c = cls.shared_cluster("C")
        cls.d = cls.shared_cluster("D", more=cls.group("D = 4\nB = 2\n"))

    @classmethod
    def group(cls, members):
        path = os.path.join(cls.folder, f"{members[0]}.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write("[duplication-group]\n" + members)
        return ("--config", path)

    def test_a_target_that_would_abort(self):
        self.create(self.a, "t", 2, [])
        for target, line in ((self.c, "'C = ID'"), (self.d, "'A = 1'")):
            self.create(target, "t", 4, [])
            self.failed(3, ["[duplication-group]", f"add {line} to it", "or use --write plain"], "relay", "--from",
                        self.a.meta, "--to", target.meta, "--table", "t", "--zookeeper", "127.0.0.1:1")
