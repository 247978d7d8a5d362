#!/usr/bin/env python3
"""Checks the rules of the C++ tree that no compiler checks.

  tools/tidy.py [--root FOLDER] [--compile-headers [--cxxflags='-Ibuild/gen ...']]

Each finding is a line "path:line: rule: message"; any finding makes the exit code 1. The rules look
at src/, testing/, tests/, fuzz/, bench/ and examples/; `sleep`, `names` and `todo` at all C++,
Python and shell files. Files that git ignores are left out. The C++ is not parsed: comments and
strings are blanked, and one pass over the brackets finds blocks, lambdas and statements (class
Source).
"""
import argparse
import ast
import bisect
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

# A folder includes folders of a lower rank and itself.
RANKS = {folder: rank for rank, folders in enumerate([
    "base",
    "async wire record metrics",
    "net store blockstore journal geo",
    "client service meta_view backup bulkload duplication routes",
    "rows dual shipping",
    "splitter server/meta server/replica metaproxy gateway relay",
    "server/cluster inspect compare runs",
    "migration",
    "shell dashboard spark apps",
]) for folder in folders.split()}
SAME_RANK_ALLOWED = {("apps", "shell"), ("apps", "dashboard"), ("apps", "spark")}
# Migration accesses clusters through the client library only, like real ones: no sockets, no
# RocksDB, no servers.
MIGRATION_MAY_INCLUDE = ("compare inspect runs client rows journal backup bulkload splitter "
                         "blockstore routes relay dual base async record wire geo").split()
MIGRATION_SYSTEM_FORBIDDEN = ("rocksdb/", "sys/socket.h", "netinet/", "boost/asio/ip/")
GENERATED_HEADER = re.compile(r"\w+_(?:types|constants)\.(?:h|tcc)")  # by Thrift, from idl/

CXX_ROOTS = ("src/", "testing/", "tests/", "fuzz/", "bench/", "examples/")
HEADERS = (".h", ".hpp")
CXX_SUFFIXES = (".cc", ".cpp", *HEADERS)
MAX_FUNCTION_LINES = 70
MAX_FILE_LINES = 600
MAX_HEAD = 2000  # characters before a brace that show what it opens

# Comments, raw strings, strings, characters. The ' of 60'000 follows a digit and is not a token.
TOKEN = re.compile(r"""
    //(?:\\\n|[^\n])* | /\*.*?\*/
  | (?<!\w)(?:u8|[uUL])?R"(?P<delimiter>[^()\\\s]{0,16})\(.*?\)(?P=delimiter)"
  | "(?:\\.|[^"\\\n])*"
  | (?<!\w)(?:u8|[uUL])?'(?:\\.|[^'\\\n])+'
""", re.S | re.X)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
EVENT = re.compile(r"[{}();]|\b(?:co_await|co_return|co_yield|CO_TRY)\b")

# The text before a brace, after collapse().
LAMBDA = re.compile(r"(?:^|[^\w\s)\]@]|\b(?:return|co_return|co_await|co_yield))\s*"
                    r"\[(?!\[)((?:[^\[\]]|\[[^\[\]]*\])*)\]\s*@?\s*"
                    r"(?:(?:mutable|noexcept|constexpr|static)\b\s*@?\s*)*"
                    r"(?:->[^;={}]*)?(?:\brequires\b.*)?$", re.S)
CATCH = re.compile(r"^\s*catch\s*@\s*$")
SCOPE = re.compile(r'\b(?:namespace|class|struct|union)\b(?!.*@\s*$)|\bextern\s*"\s*"\s*$', re.S)
VALUE = re.compile(r"(?:[=,\w]|[^\]]\]|\brequires\s*@)\s*$")  # `x{`, `= {`, `int a[] {`, ...
CODE = re.compile(r"\b(?:else|do|try|const|noexcept|override|final|mutable|volatile|consteval)\s*$"
                  r"|@[^@]*->[^={}]*$|@\s*requires\b\s*[^\s@].*$", re.S)  # ... but still a body


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def collapse(text):
    """Each outermost (...) becomes @ and spaces, each <...> spaces; the length stays."""
    for pattern, mark in ((r"\([^()]*\)", "@"), (r"<[^<>]*>", " ")):
        while (done := re.sub(pattern, lambda match: mark + blank(match[0][1:]), text)) != text:
            text = done
    return text


@dataclass(slots=True)
class Block:
    kind: str  # scope (namespace or type), function, lambda, catch, value, code; "(" for a (...)
    open: int
    statement: int  # where the statement that contains the block began
    outer: bool = False  # only in namespaces and types
    close: int = 0
    head: int = 0  # of a lambda: where its captures begin
    captures: str = ""
    coroutine: bool = False


class Source:
    """A C++ file: `text` as it is, `code` without comments and strings, `plain` also without
    directives, all of one length. `blocks` are its {...}; `awaiting` are (begin, end) of statements
    with a co_await, up to the semicolon; `caught` are the places of co_await in catch handlers."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._comments = {}  # line -> the comments on it
        self.code = TOKEN.sub(self._blank_token, text)
        self.plain = DIRECTIVE.sub(lambda match: blank(match[0]), self.code)
        self._code_lines = self.code.split("\n")
        self.blocks, self.awaiting, self.caught = [], [], []
        self._read_brackets()

    def line(self, position):
        return bisect.bisect_left(self._newlines, position) + 1

    def comments(self, first, last):
        return "".join(self._comments.get(line, "") for line in range(first, last + 1))

    def comments_above(self, line):
        """The lines directly above that hold comments and nothing else."""
        first = line
        while first - 1 in self._comments and not self._code_lines[first - 2].strip():
            first -= 1
        return self.comments(first, line - 1)

    def _blank_token(self, match):
        token = match[0]
        if token[0] != "/":
            return '"' + blank(token[1:-1]) + '"'
        for line, part in enumerate(token.split("\n"), self.line(match.start())):
            self._comments[line] = self._comments.get(line, "") + part + "\n"
        return blank(token)

    def _read_brackets(self):
        stack, begin, last_await = [], 0, -1  # begin: of the statement being read
        for event in EVENT.finditer(self.plain):
            word, position = event[0], event.start()
            if word == "(":
                stack.append(Block("(", position, begin))
            elif word == ")":
                if stack and stack[-1].kind == "(":
                    stack.pop()
            elif word == "{":
                stack.append(self._block(position, begin, stack[-1] if stack else None))
                self.blocks.append(stack[-1])
                begin = position + 1
            elif word == "}" and stack:
                while stack and (block := stack.pop()).kind == "(":
                    pass
                block.close = position
                begin = block.statement if block.kind in ("value", "lambda") else position + 1
            elif word == ";":
                if not stack or stack[-1].kind != "(":  # not in the head of a for loop
                    if last_await >= begin:
                        self.awaiting.append((begin, position))
                    begin = position + 1
            elif word != "}":
                last_await = position if word == "co_await" else last_await
                self._mark(word, position, stack)

    def _block(self, position, begin, parent):
        outer = parent is None or (parent.outer and parent.kind == "scope")
        block = Block("value", position, begin, outer)
        in_parentheses = parent is not None and parent.kind == "("
        start = max(begin, parent.open + 1 if in_parentheses else 0, position - MAX_HEAD)
        if self.plain[max(start, position - 40):position].rstrip().endswith(("=", ",")):
            return block
        head = collapse(self.plain[start:position])
        if match := LAMBDA.search(head):
            block.kind, block.captures = "lambda", match[1].strip()
            block.head = start + match.start(1)
        elif CATCH.match(head):
            block.kind = "catch"
        elif SCOPE.search(head):
            block.kind = "scope"
        elif not in_parentheses and (CODE.search(head) or not VALUE.search(head)):
            block.kind = "function" if outer and "@" in head else "code"
        return block

    def _mark(self, word, position, stack):
        for block in reversed(stack):
            if block.kind == "catch" and word == "co_await":
                self.caught.append(position)
            if block.kind in ("lambda", "function"):
                block.coroutine = True
                return


# Checks of one C++ file: each yields (line, rule, message).
INCLUDE = re.compile(r"""^[ \t]*(\#)[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)""", re.M)
# Calls that put a thread to sleep; a Clock's sleep_for() and sleep_until() do not.
SLEEP = re.compile(r"\bthis_thread\b(?!\s*::\s*(?:get_id|yield)\b)(?:\s*::\s*\w+)?|\busleep\b"
                   r"|\b(?:clock_)?nanosleep\b|(?<![\w>])::\s*sleep(?=\s*\()")
# Those two, in end-to-end tests, whose clocks are real.
CLOCK_SLEEP = re.compile(r"(?:\.|->)sleep_(?:for|until)\b(?=\s*\()")
SHELL_SLEEP = re.compile(r"(?:^|[;&|({!]|\b(?:do|then|else|if|while|until|exec)\b)[ \t]*sleep[ \t]", re.M)
WAITING = "tests/cli/wait.py"  # where Python tests pause between polls
EXPECTATION = re.compile(r"\b(?:EXPECT|ASSERT)_[A-Z]\w*\s*\(|\b(?:ADD_FAILURE|FAIL)\s*\(")
IF = re.compile(r"\bif\b\s*(?:constexpr\b\s*)?(?=\()")
LEAVES = re.compile(r"\b(?:co_return|return|continue|break)\b[^;{}]*;[\s}]*$")
DETACHED = re.compile(r"\basio\s*::\s*detached(?:_t)?\b|[,(]\s*detached\s*\)")
IFDEF_TEST = re.compile(r"^[ \t]*#[ \t]*(?:el)?if(?:n?def)?\b[^\n]*?"
                        r"\b(?:\w*_)?(?:UNIT)?TEST(?:S|ING)?(?:_\w*)?\b", re.M)
# What may precede a statement without braces, after collapse().
CONTROL = re.compile(r"\s*(?:(?:(?:else|do)\b|(?:case\b[^?;]*?|default|\w+)\s*(?<!:):(?!:)"
                     r"|\[\[[^\]]*\]\]|(?:if\s+constexpr|if|for|while|switch)\s*@)\s*)*")
DISCARDED = re.compile(r"(?:\(\s*void\s*\)|static_cast\s*<\s*void\s*>|std\s*::\s*ignore\s*=)"
                       r"[\s(]*co_await\b")


def folder_of(path):
    """The folder in the rank table of a path below src/; "" for a file in none."""
    parts = path.split("/")[:-1]
    return "/".join(parts[:2 if parts[:1] == ["server"] else 1])


def rank_problem(folder, included, is_test):
    if included == folder or (included == "testing" and is_test):
        return None
    if included == "testing":
        return "only tests include testing/"
    if included not in RANKS:
        return f"unknown folder '{included}': write folder/file.h, and <...> for what is not ours"
    if folder == "migration" and included not in MIGRATION_MAY_INCLUDE:
        return f"migration/ must not include {included}/"
    if RANKS[included] < RANKS[folder] or (folder, included) in SAME_RANK_ALLOWED:
        return None
    return f"{folder}/ (rank {RANKS[folder]}) must not include {included}/ (rank {RANKS[included]})"


HOUSE = "docs/ARCHITECTURE.md"
HOUSE_ROW = re.compile(r"^\| (\d+) \| ((?:`[\w/]+/`(?:, )?)+) \|", re.M)


def check_house(text, paths):
    """The table of folders in the architecture page matches the tree: the same folders, the same ranks."""
    shown = {folder.strip("/"): int(row[1]) for row in HOUSE_ROW.finditer(text)
             for folder in re.findall(r"`([\w/]+)/`", row[2])}
    real = {folder_of(path[4:]) for path in paths if path.startswith("src/") and path.endswith(CXX_SUFFIXES)}
    for folder in sorted(real - set(shown)):
        yield HOUSE, 1, "house", f"src/{folder}/ is missing in the table of folders"
    for folder, rank in sorted(shown.items()):
        if folder not in real:
            yield HOUSE, 1, "house", f"the table has {folder}/, which is not in src/"
        elif RANKS.get(folder) != rank:
            yield HOUSE, 1, "house", f"{folder}/ has rank {RANKS.get(folder)}, but the table says {rank}"


def check_rank(source):
    if not source.path.startswith("src/"):
        return
    folder = folder_of(source.path[4:])
    if folder not in RANKS:
        yield 1, "unlisted", f"'{folder or 'src'}' is not in the rank table in tools/tidy.py"
        return
    is_test = Path(source.path).stem.endswith("_test")
    for match in INCLUDE.finditer(source.text):
        ours, system, problem = match[2], match[3], None
        if source.code[match.start(1)] != "#":  # in a comment
            continue
        if ours and not GENERATED_HEADER.fullmatch(ours):
            problem = rank_problem(folder, folder_of(ours), is_test)
        elif system and folder == "migration" and system.startswith(MIGRATION_SYSTEM_FORBIDDEN):
            problem = f"migration/ must not include <{system}>"
        if problem:
            yield source.line(match.start(1)), "rank", problem


def check_lengths(source):
    lines = len(source.text.splitlines())
    if lines > MAX_FILE_LINES:
        yield MAX_FILE_LINES + 1, "file-length", f"{lines} lines, at most {MAX_FILE_LINES}"
    for block in source.blocks:
        body = source.line(block.close) - source.line(block.open) - 1
        is_function = block.kind == "function" or (block.kind == "lambda" and block.outer)
        if is_function and body > MAX_FUNCTION_LINES:
            yield (source.line(block.open), "function-length",
                   f"a body of {body} lines, at most {MAX_FUNCTION_LINES}")


def check_words(source):
    for match in SLEEP.finditer(source.code):
        yield source.line(match.start()), "sleep", f"{match[0]}: nothing sleeps; wait on a Clock"
    for match in CLOCK_SLEEP.finditer(source.code) if source.path.startswith("tests/") else ():
        yield source.line(match.start()), "sleep", "wait for what is to happen"
    if not source.path.startswith("src/async/"):
        for match in DETACHED.finditer(source.code):
            yield source.line(match.end() - 1), "detached", "spawn it in a TaskGroup"
    for match in IFDEF_TEST.finditer(source.code):
        yield source.line(match.end()), "ifdef-test", "no code that only tests compile"


def check_awaits(source):
    for begin, end in source.awaiting:
        collapsed = collapse(source.plain[begin:end])
        skipped = CONTROL.match(collapsed).end()
        rest, collapsed = source.plain[begin + skipped:end], collapsed[skipped:]
        first, last = source.line(begin + skipped), source.line(end)
        said = source.comments(first, first) + source.comments(last, last)
        dropped = rest.startswith("co_await") or (
            collapsed.strip() == "@" and re.match(r"[\s(]*co_await\b", rest))
        if DISCARDED.match(rest) and not said + source.comments_above(first):
            yield first, "dropped-await", "say in a comment why the result does not matter"
        elif dropped and "// no result" not in said:
            yield first, "dropped-await", "use CO_TRY, or add `// no result` if there is none"
    for position in source.caught:
        yield source.line(position), "catch-await", "no co_await in a catch handler"


def check_lambdas(source):
    for block in source.blocks:
        if block.kind == "lambda" and block.captures and block.coroutine:
            first, brace = source.line(block.head), source.line(block.open)
            said = source.comments_above(first) + source.comments(first - 1, brace)
            if not re.search(r"// outlives:[ \t]*\S", said):
                yield (first, "capturing-coroutine", "a coroutine with captures: pass arguments, "
                       "or say in `// outlives: ...` what keeps the lambda alive")


def check_header(source):
    if source.path.startswith("src/") and source.path.endswith(HEADERS):
        if not source.text.startswith(("//", "/*")):
            yield 1, "header-alone", "begins without a comment that says what it is"
        if not re.search(r"^[ \t]*#[ \t]*pragma[ \t]+once\b", source.code, re.M):
            yield 1, "header-alone", "has no #pragma once"


def end_of_brackets(text, begin):
    """The position after the bracket that closes the one at `begin`; the text's end if there is none."""
    depth = 0
    for position in range(begin, len(text)):
        depth += (text[position] in "({[") - (text[position] in ")}]")
        if depth == 0:
            return position + 1
    return len(text)


def end_of_statement(text, begin):
    """The position after the statement that begins there or after spaces: a block, or up to its semicolon."""
    while begin < len(text) and text[begin].isspace():
        begin += 1
    if text[begin:begin + 1] == "{":
        return end_of_brackets(text, begin)
    if match := re.compile(r"(?:if\b\s*(?:constexpr\b\s*)?|for|while|switch)\b\s*(?=\()").match(text, begin):
        end = end_of_statement(text, end_of_brackets(text, match.end()))
        other = re.compile(r"\s*else\b").match(text, end)
        return end_of_statement(text, other.end()) if other else end
    while begin < len(text) and text[begin] != ";":
        begin = end_of_brackets(text, begin) if text[begin] in "({[" else begin + 1
    return begin + 1


def check_expectations(source):
    """An expectation under an `if` is skipped without a word when the condition does not hold, unless something is
    expected then, too."""
    if not (source.path.startswith(("tests/", "testing/")) or Path(source.path).stem.endswith("_test")):
        return
    text = source.plain
    for match in IF.finditer(text):
        begin = end_of_brackets(text, match.end())
        end = end_of_statement(text, begin)
        if not EXPECTATION.search(text, begin, end):
            continue
        if other := re.compile(r"\s*else\b").match(text, end):
            rest = text[other.end():end_of_statement(text, other.end())]
        elif LEAVES.search(text, begin, end):
            rest = text[end:min((block.close for block in source.blocks
                                 if block.open < match.start() < block.close), default=end)]
        else:
            rest = ""
        if not EXPECTATION.search(rest):
            yield (source.line(match.start()), "skipped-expectation",
                   "nothing is expected when the condition does not hold: expect the condition, or the whole value")


# What asks or changes the disk: with a std::error_code as the last argument it does not throw.
DISK_CALLS = ("absolute|canonical|weakly_canonical|relative|proximate|copy|copy_file|copy_symlink|create_directory"
              "|create_directories|create_hard_link|create_symlink|create_directory_symlink|current_path|exists"
              "|equivalent|file_size|hard_link_count|is_\\w+|last_write_time|permissions|read_symlink|remove|remove_all"
              "|rename|resize_file|space|status|symlink_status|temp_directory_path")
FILESYSTEM = r"\bstd\s*::\s*filesystem\b"


def check_filesystem(source):
    """What the program says of a folder that may not be read is an error, not an exception."""
    if not source.path.startswith("src/") or Path(source.path).stem.endswith("_test"):
        return
    text = source.plain
    names = "|".join([FILESYSTEM, *(rf"\b{name}\b" for name in
                                    re.findall(rf"\bnamespace\s+(\w+)\s*=\s*{FILESYSTEM}", text))])
    for match in re.finditer(rf"(?:{names})\s*::\s*(?:recursive_)?directory_(?:iterator|entry)\b", text):
        yield source.line(match.start()), "filesystem", "throws between its entries: use names_in() of base/local_file.h"
    for match in re.finditer(rf"\busing\s+(?:namespace\s+)?(?:{names})", text):
        yield source.line(match.start()), "filesystem", "write std::filesystem:: or a short name for it at each use"
    for match in re.finditer(rf"(?:{names})\s*::\s*({DISK_CALLS})\s*(?=\()", text):
        last = re.search(r"[(,]\s*(\w+)\s*\)$", text[match.end():end_of_brackets(text, match.end())])
        if not last or not re.search(rf"\bstd\s*::\s*error_code\b[^;(){{}}]*\b{last[1]}\b", text):
            yield source.line(match.start()), "filesystem", f"{match[1]}() throws: give it a std::error_code"


CXX_CHECKS = [check_rank, check_lengths, check_words, check_awaits, check_lambdas, check_header,
              check_expectations, check_filesystem]
BAD_NAME = re.compile(r"utils|common|manager|helper|impl(?![a-z])")  # but "simple" is allowed
LEFT_UNDONE = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")


def check_names(paths):
    folders = {str(folder) for path in paths for folder in Path(path).parents}
    for path in folders.union(paths):
        if match := BAD_NAME.search(path.rpartition("/")[2]):
            yield path, 1, "names", f"'{match[0]}' says nothing; name it after what it does"


def check_pauses(path, text, is_python):
    """Python and shell: sleeping."""
    if not is_python:
        for match in SHELL_SLEEP.finditer(text):
            yield text.count("\n", 0, match.end()) + 1, "sleep", "wait for what is to happen"
        return
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError as error:
        yield error.lineno or 1, "sleep", f"is not Python: {error.msg}"
        return
    for node in nodes:
        names = ([node.attr] if isinstance(node, ast.Attribute) else
                 [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else [])
        if "sleep" in names and path != WAITING:
            yield node.lineno, "sleep", f"wait for what is to happen, with until() of {WAITING}"


def check_file(path, text):
    for match in LEFT_UNDONE.finditer(text) if path != "tools/tidy.py" else ():
        line = text.count("\n", 0, match.start()) + 1
        yield path, line, "todo", f"{match[0]}: do it, or write the decision down in docs/"
    if not path.endswith(CXX_SUFFIXES):
        is_python = path.endswith(".py") or re.match(r"#!.*python", text) is not None
        yield from ((path, *found) for found in check_pauses(path, text, is_python))
    if path.startswith(CXX_ROOTS) and path.endswith(CXX_SUFFIXES):
        source = Source(path, text)
        for check in CXX_CHECKS:
            yield from ((path, *found) for found in check(source))


def list_files(root):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=root, capture_output=True, check=True).stdout
        paths = set(os.fsdecode(listed).split("\0")) - {""}
    except (FileNotFoundError, subprocess.CalledProcessError):  # no git here: walk
        paths = set()
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if not name.startswith((".", "build"))]
            paths.update(Path(folder, name).relative_to(root).as_posix() for name in files)
    return sorted(path for path in paths if (root / path).is_file())


def is_code(root, path):
    if suffix := Path(path).suffix:
        return suffix in (*CXX_SUFFIXES, ".py", ".sh", ".bash")
    with open(root / path, "rb") as file:
        return re.match(rb"#!.*(?:sh|python)", file.readline(100)) is not None


def check_tree(root):
    paths = [path for path in list_files(root) if is_code(root, path)]
    findings = list(check_names(paths))
    if (root / HOUSE).is_file():
        findings += check_house((root / HOUSE).read_text(encoding="utf-8"), paths)
    for path in paths:
        findings += check_file(path, (root / path).read_text(encoding="utf-8", errors="replace"))
    return sorted(findings)


def compile_headers(root, flags):
    """Each header of src/ alone, for its syntax."""
    def compile_one(path):
        command = ["clang++-19", "-std=c++23", "-fsyntax-only", "-x", "c++",
                   "-Wno-pragma-once-outside-header", "-Isrc", *flags, path]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True)
        error = re.search(r"^.*error: .*$", done.stderr, re.M)
        message = f"does not compile alone: {error[0] if error else done.stderr.strip()}"
        return (path, 1, "header-alone", message) if done.returncode else None
    headers = [path for path in list_files(root)
               if path.startswith("src/") and path.endswith(HEADERS)]
    with ThreadPoolExecutor(2) as pool:
        return [finding for finding in pool.map(compile_one, headers) if finding]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent,
                        help="the tree to check; by default that of this script")
    parser.add_argument("--compile-headers", action="store_true",
                        help="also compile each header of src/ alone")
    parser.add_argument("--cxxflags", default="", help="write --cxxflags='-Ifolder ...'")
    options = parser.parse_args()
    findings = check_tree(options.root)
    if options.compile_headers:
        findings += compile_headers(options.root, shlex.split(options.cxxflags))
    for path, line, rule, message in findings:
        print(f"{path}:{line}: {rule}: {message}")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
