"""The lists of differences that are known and explained: differences*.txt beside this file.

A line is `TRANSCRIPT WHICH FIELDS : REASON`. TRANSCRIPT is a name or `*`. WHICH is a list of frame
numbers of requests and ranges of them (`12,40-48`), or an RPC code. A `?` at its end says that the
difference depends on timing and need not occur. FIELDS is a list of patterns
(`*` stands for anything) of the differing fields, e.g. `partitions.*.hp_primary`, `rpc_error` for
the error of the RPC itself, `body` for a code whose fields are not declared.
"""
import fnmatch
import re


class ListError(Exception):
    """A line of the list that cannot be read."""


class Entry:
    def __init__(self, line_number, text, file):
        found = re.fullmatch(r"(\S+)\s+(\S+)\s+(\S+)\s+:\s+(\S.*)", text)
        if not found:
            raise ListError(f"{file}:{line_number}: not TRANSCRIPT WHICH FIELDS : REASON")
        self.file, self.line_number, self.transcript = file, line_number, found[1]
        self.which, self.fields, self.reason = found[2].removesuffix("?"), found[3].split(","), found[4].strip()
        self.is_certain = not found[2].endswith("?")
        self.code = self.which if re.fullmatch(r"[A-Z_*]+", self.which) else None
        self.frames = set() if self.code else set(self.read_frames())
        self.used = set()

    def read_frames(self):
        for piece in self.which.split(","):
            ends = re.fullmatch(r"(\d+)(?:-(\d+))?", piece)
            if not ends:
                raise ListError(f"{self.file}:{self.line_number}: {piece!r} is no frame number or code")
            yield from range(int(ends[1]), int(ends[2] or ends[1]) + 1)

    def covers(self, transcript, frame, code, field):
        return self.transcript in ("*", transcript) and \
            (fnmatch.fnmatchcase(code, self.code) if self.code else frame in self.frames) and \
            any(fnmatch.fnmatchcase(field, pattern) for pattern in self.fields)

    def __str__(self):
        return f"{self.file}:{self.line_number}: {self.transcript} {self.which} {','.join(self.fields)}"


class DifferenceList:
    def __init__(self, text, file="differences.txt"):
        lines = enumerate(text.splitlines(), 1)
        self.entries = [Entry(number, line.strip(), file) for number, line in lines
                        if line.strip() and not line.startswith("#")]

    def unlisted(self, transcript, frame, code, found):
        """Those of the differences (path, recorded, ours) that no line covers."""
        left = []
        for difference in found:
            entries = [one for one in self.entries if one.covers(transcript, frame, code, difference[0])]
            for entry in entries:
                entry.used.add(frame)
            if not entries:
                left.append(difference)
        return left

    def stale(self, requests):
        """What is listed and no longer occurs. `requests`: the numbers of the requests of each
        transcript that was replayed in full; with "*" if that is all of them."""
        for entry in self.entries:
            if entry.transcript not in requests or not entry.is_certain:
                continue
            missing = (entry.frames & requests[entry.transcript]) - entry.used
            if not entry.used:
                yield f"{entry}: no longer occurs"
            elif missing:
                yield f"{entry}: no longer occurs in frames {', '.join(map(str, sorted(missing)))}"
