#!/usr/bin/env python3
"""Tests of tidy.py: each rule on small trees in a temporary folder, once broken and once kept.

  python3 tools/tidy_test.py
"""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import tidy  # noqa: E402

HEADER = "// What it is.\n#pragma once\n"


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def check(self, text, path="src/wire/frame.cc"):
        """The (line, rule) of each finding in a tree of this one file."""
        self.write(path, text)
        found = [(line, rule) for name, line, rule, _ in tidy.check_tree(self.root) if name == path]
        (self.root / path).unlink()
        return found

    def check_body(self, body, path="src/wire/frame.cc"):
        """The same for the body of a function; its first line is line 1."""
        return self.check("Task<void> run(int n) {" + body + "\n}\n", path)

    # rank

    def test_refuses_a_higher_rank(self):
        self.assertEqual(self.check('#include "net/tcp.h"\n'), [(1, "rank")])
        self.assertEqual(self.check('#include "a.h"\n#include "store/a.h"\n', "src/store/a.cc"),
                         [(1, "rank")])

    def test_allows_a_lower_rank_and_the_own_folder(self):
        text = '#include <net/if.h>\n#include "base/result.h"\n#include "wire/frame.h"\n'
        self.assertEqual(self.check(text), [])
        self.assertEqual(self.check('#include "blockstore/s3/client.h"\n', "src/backup/a.cc"), [])

    def test_refuses_the_same_rank_except_what_apps_wire_together(self):
        self.assertEqual(self.check('#include "record/key.h"\n'), [(1, "rank")])
        self.assertEqual(self.check('#include "server/replica/a.h"\n', "src/server/meta/a.cc"),
                         [(1, "rank")])
        self.assertEqual(self.check('#include "server/meta/b.h"\n', "src/server/meta/a.cc"), [])
        self.assertEqual(self.check('#include "compare/b.h"\n', "src/inspect/a.cc"),
                         [(1, "rank")])
        self.assertEqual(self.check('#include "shell/b.h"\n', "src/dashboard/a.cc"), [(1, "rank")])
        text = '#include "shell/b.h"\n#include "dashboard/b.h"\n'
        self.assertEqual(self.check(text, "src/apps/a.cc"), [])

    def test_refuses_an_unknown_folder_but_not_generated_headers(self):
        self.assertEqual(self.check('#include "misc/b.h"\n#include "b.h"\n'),
                         [(1, "rank"), (2, "rank")])
        self.assertEqual(self.check('#include "meta_types.h"\n#include "meta_types.tcc"\n'), [])

    def test_keeps_sockets_stores_and_servers_out_of_migration(self):
        path = "src/migration/copy/copy.cc"
        for folder in ("net", "store", "service", "server/meta", "server/replica",
                       "server/cluster"):
            with self.subTest(folder):
                self.assertEqual(self.check(f'#include "{folder}/a.h"\n', path), [(1, "rank")])
        self.assertEqual(self.check("#include <rocksdb/db.h>\n", path), [(1, "rank")])
        for folder in tidy.MIGRATION_MAY_INCLUDE:
            self.assertEqual(self.check(f'#include "{folder}/a.h"\n', path), [])

    def test_counts_a_method_as_part_of_migration(self):
        text = '#include "migration/load/a.h"\n#include "migration/run_keeper.h"\n'
        self.assertEqual(self.check(text, "src/migration/copy/a.cc"), [])
        self.assertEqual(self.check(text, "src/compare/a.cc"), [(1, "rank"), (2, "rank")])

    def test_lets_only_tests_include_testing(self):
        text = '#include "testing/sim_clock.h"\n'
        self.assertEqual(self.check(text), [(1, "rank")])
        self.assertEqual(self.check(text, "src/wire/frame_test.cc"), [])
        self.assertEqual(self.check('#include "apps/a.h"\n', "testing/cluster.cc"), [])

    def test_ignores_an_include_in_a_comment(self):
        self.assertEqual(self.check('/*\n#include "net/tcp.h"\n*/\n'), [])

    # unlisted

    def test_reports_a_file_outside_the_rank_table(self):
        self.assertEqual(self.check("int a;\n", "src/misc/a.cc"), [(1, "unlisted")])
        self.assertEqual(self.check("int a;\n", "src/a.cc"), [(1, "unlisted")])
        self.assertEqual(self.check("int a;\n", "src/server/a.cc"), [(1, "unlisted")])
        self.assertEqual(self.check("int a;\n", "src/server/meta/a.cc"), [])
        self.assertEqual(self.check("int a;\n", "src/migration/copy/a.cc"), [])

    # function-length, file-length

    def function(self, head, lines):
        return f"namespace a {{\n{head} {{\n" + "  step();\n" * lines + "}\n}  // namespace a\n"

    def test_measures_bodies_of_functions(self):
        heads = ["void f()", "auto f(int a = {}) -> std::vector<int>", "TEST(Frame, Decodes)",
                 "template <class T>\nint F<T>::f() const noexcept", "const auto kRun = [](int a)",
                 "F::F() : a_{1}, b_(2)", "Foo& Foo::operator=(Foo&& from) &",
                 'extern "C" int fuzz(const uint8_t* data)',
                 "template <typename T>\n  requires std::integral<T>\nvoid f(struct X x)"]
        for head in heads:
            with self.subTest(head):
                line = 2 + head.count("\n")
                self.assertEqual(self.check(self.function(head, 71)), [(line, "function-length")])
                self.assertEqual(self.check(self.function(head, 70)), [])

    def test_measures_functions_in_classes(self):
        text = "class A {\n public:\n  A(int a) {\n" + "  step();\n" * 71 + "  }\n};\n"
        self.assertEqual(self.check(text), [(3, "function-length")])

    def test_takes_no_other_block_for_a_function(self):
        for head in ("class A final : public B<int>", "enum class A : int", "struct alignas(8) A",
                     "namespace b", 'extern "C"', "constexpr int kA[] =", "std::map<int, int> kA"):
            with self.subTest(head):
                self.assertEqual(self.check(self.function(head, 80)), [])

    def test_is_not_misled_by_braces_in_strings_comments_and_macros(self):
        text = ('#define OPEN \\\n  {\nvoid f() {\n  a("{", \'{\', R"x({")x");  // {\n'
                "  int b = 60'000;  /* { */\n}\n")
        self.assertEqual(self.check(text + "int a();\n" * 80), [])

    def test_limits_the_length_of_a_file(self):
        self.assertEqual(self.check("int a;\n" * 601), [(601, "file-length")])
        self.assertEqual(self.check("int a;\n" * 600), [])

    # sleep, detached, ifdef-test

    def test_refuses_sleeps(self):
        for text in ("std::this_thread::sleep_for(1s);", "std::this_thread::sleep_until(then);",
                     "usleep(5);", "::nanosleep(&a, &b);", "using std::this_thread::sleep_for;",
                     "using namespace std::this_thread;", "::sleep(1);"):
            with self.subTest(text):
                for path in ("bench/a.cc", "tests/kill/a.cc"):
                    self.assertEqual(self.check(f"\n{text}\n", path), [(2, "sleep")])
        text = '// never sleep_for(1s)\nauto a = "usleep";\nclock.sleep_until(then);\n'
        text += "clock.sleep_for(1s);\nauto id = std::this_thread::get_id();\n"
        self.assertEqual(self.check(text), [])

    def test_refuses_sleeps_of_clocks_in_tests_from_outside(self):
        text = "co_await clock.sleep_for(1s);  // no result\nco_await c->sleep_until(then);  // no result\n"
        self.assertEqual(self.check(text, "tests/kill/kill_test.cc"), [(1, "sleep"), (2, "sleep")])
        self.assertEqual(self.check(text, "src/async/clock_test.cc"), [])

    def test_refuses_sleeps_in_python_but_where_tests_wait(self):
        for text in ("time.sleep(1)", "asyncio.sleep(0)", "from time import monotonic, sleep", "wait = time.sleep"):
            for path in ("tests/cli/a.py", "tools/a.py"):
                with self.subTest(text=text, path=path):
                    self.assertEqual(self.check(f"\n{text}\n", path), [(2, "sleep")])
            self.assertEqual(self.check(f"{text}\n", "tests/cli/wait.py"), [])
        self.assertEqual(self.check("#!/usr/bin/env python3\ntime.sleep(1)\n", "tests/cli/run"), [(2, "sleep")])
        text = "# time.sleep(1)\ndef sleep(): return 'time.sleep(1)'\nsleep()\nimport time\n"
        self.assertEqual(self.check(text, "tests/cli/a.py"), [])

    def test_refuses_sleeps_in_shell(self):
        for text in ("sleep 1", "a; sleep 1", "while true; do sleep 0.1; done", "if x; then\tsleep 1; fi", "(sleep 1) &"):
            with self.subTest(text):
                self.assertEqual(self.check(f"#!/bin/bash\n{text}\n", "tests/cli/run"), [(2, "sleep")])
        self.assertEqual(self.check("#!/bin/bash\n# a sleep 1\necho 'no sleep 1'\n./sleep 1\n", "script/run"), [])

    # skipped-expectation

    def test_refuses_an_expectation_that_may_be_skipped(self):
        for body in ("if (n) EXPECT_EQ(n, 1);", "if (auto m = f(n); m) { g(); ASSERT_TRUE(m); }",
                     "if (n) for (int a : b) EXPECT_EQ(a, 1);", "if constexpr (kB) EXPECT_EQ(n, 1);",
                     "for (int a : b)\n    if (a) EXPECT_EQ(a, 1);", "if (n) FAIL() << n;",
                     "if (n) { EXPECT_EQ(n, 1); } else { g(); }", "if (n) { EXPECT_EQ(n, 1); return; }"):
            for path in ("src/wire/frame_test.cc", "src/wire/two_frames_test.h", "tests/kill/a.cc", "testing/a.h"):
                with self.subTest(body=body, path=path):
                    line = 1 + body[:body.index("if")].count("\n")
                    head = HEADER if path.endswith(".h") else ""
                    found = self.check(head + "void f(int n) {" + body + "\n}\n", path)
                    self.assertEqual(found, [(line + head.count("\n"), "skipped-expectation")])
        self.assertEqual(self.check("if (n) EXPECT_EQ(n, 1);\n", "src/wire/frame.cc"), [])

    def test_allows_expectations_of_both_cases(self):
        for body in ("if (n) EXPECT_EQ(n, 1); else EXPECT_EQ(n, 2);", "if (n) g(); EXPECT_EQ(n, 1);",
                     "if (n) { EXPECT_EQ(n, 1); } else if (m) { g(); } else { ASSERT_EQ(n, 2); }",
                     "if (n) { EXPECT_EQ(n, 1); return; }\n g();\n EXPECT_EQ(n, 2);",
                     "for (int a : b) {\n if (a) {\n EXPECT_EQ(a, 1);\n continue;\n }\n EXPECT_EQ(n, 1);\n }",
                     "EXPECT_TRUE(n ? a : b);", "// if (n) EXPECT_EQ(n, 1);"):
            with self.subTest(body):
                self.assertEqual(self.check_body(body, "src/wire/frame_test.cc"), [])

    def test_refuses_detached_outside_async(self):
        for text in ("co_spawn(context, run(), asio::detached);", "co_spawn(c, run(), detached);"):
            self.assertEqual(self.check(text), [(1, "detached")])
            self.assertEqual(self.check(text, "src/async/task_group.cc"), [])
        self.assertEqual(self.check("bool detached = true;  // asio::detached\n"), [])

    def test_refuses_code_for_tests_only(self):
        for text in ("#ifdef TEST", "#ifndef PEGMOVE_TEST", "#if defined(UNIT_TESTING)",
                     "# if TESTING", "#elif FOO_TEST_BUILD"):
            with self.subTest(text):
                self.assertEqual(self.check(f"\n{text}\n#endif\n"), [(2, "ifdef-test")])
        self.assertEqual(self.check("#ifdef LATEST\n#endif\n#define TEST_A\n// #ifdef TEST\n"), [])

    # dropped-await

    def test_refuses_a_dropped_await(self):
        for body in ("co_await f();", "if (n) co_await f();",
                     "if (g(n)) { h(); } else co_await f();",
                     "for (int a : list(n))\n if constexpr (b) co_await f();",
                     "switch (n) { case ns::kA: co_await f(); default: g(); }",
                     "a();\n  co_await f(1,\n           2);", "(co_await f());",
                     "auto x = std::vector<int>{1}; co_await x.f([] { g(); });",
                     "Foo foo{1, {2}};\n  co_await f();", "do co_await f(); while (n);",
                     "while (n) { co_await f(); }", "auto g = []() -> Task { co_await f(); };"):
            with self.subTest(body):
                line = 1 + body[:body.index("co_await")].count("\n")
                self.assertEqual(self.check_body(body), [(line, "dropped-await")])

    def test_allows_an_await_whose_result_is_used(self):
        for body in ("CO_TRY(co_await f());", "auto a = co_await f();", "co_return co_await f();",
                     "(co_await f()).value();", "if (!co_await f()) g();",
                     "a = b ? c : co_await f();",
                     "a = {co_await f(), co_await g()};", "EXPECT_TRUE(co_await f());",
                     "auto a = CO_TRY(\n    co_await f());", "for (; co_await f();) g();",
                     'g("; co_await f();");  // co_await f();'):
            with self.subTest(body):
                self.assertEqual(self.check_body(body), [])

    def test_allows_an_await_without_a_result_when_it_says_so(self):
        for body in ("co_await f();  // no result", "co_await f(1,\n  2);  // no result",
                     "co_await f([] {  // no result\n  g();\n});"):
            with self.subTest(body):
                self.assertEqual(self.check_body(body), [])
        body = "co_await f();\n// no result\nco_await g();  // why"
        self.assertEqual(self.check_body(body), [(1, "dropped-await"), (3, "dropped-await")])

    def test_wants_a_reason_for_a_discarded_result(self):
        for body in ("(void)co_await f();", "std::ignore = co_await f();",
                     "static_cast<void>(co_await f());", "if (n) (void)(co_await f());"):
            with self.subTest(body):
                self.assertEqual(self.check_body("\n" + body), [(2, "dropped-await")])
                self.assertEqual(self.check_body("\n" + body + "  // closing anyway"), [])
                self.assertEqual(self.check_body("\n// closing\n// anyway\n" + body), [])
                self.assertEqual(self.check_body("\ng();  // another\n" + body),
                                 [(3, "dropped-await")])

    # catch-await

    def test_refuses_an_await_in_a_catch_handler(self):
        body = "try { g(); } catch (const E& e) {\n if (n) { CO_TRY(co_await f()); }\n}"
        self.assertEqual(self.check_body(body), [(2, "catch-await")])
        self.assertEqual(self.check_body("try { g(); } catch (...) {\n a = co_await f();\n}"),
                         [(2, "catch-await")])

    def test_allows_an_await_around_a_catch_handler(self):
        body = ("try { a = co_await f(); } catch (...) { failed = true; }\n a = co_await g();\n"
                "try {} catch (...) { later([]() -> Task { co_return co_await f(); }); }")
        self.assertEqual(self.check_body(body), [])

    # capturing-coroutine

    def test_refuses_a_capturing_coroutine(self):
        for body in ("spawn([this]() -> Task<void> {\n  co_return;\n});",
                     "auto f = [&, a = b[0]](int c) mutable { CO_TRY(g(c)); };",
                     "auto f = [a = Foo{1}] { if (a) { CO_TRY(co_await g()); } };",
                     "return [=]<typename T>(T a) noexcept -> Task<T> { co_return a; };",
                     "spawn(a, {1, 2}, [&] {}, [n] { co_yield n; });"):
            with self.subTest(body):
                self.assertEqual(self.check_body("\n" + body), [(2, "capturing-coroutine")])

    def test_allows_a_capturing_coroutine_that_says_what_keeps_it(self):
        for body in ("f([this] {  // outlives: joined in stop()\n  co_return;\n});",
                     "// outlives: joined\n// in stop()\nf([this] { co_return; });",
                     "f(a,  // outlives: joined in stop()\n  [this] { co_return; });"):
            with self.subTest(body):
                self.assertEqual(self.check_body("\n" + body), [])
        self.assertEqual(self.check_body("\n// outlives:\nf([this] { co_return; });"),
                         [(3, "capturing-coroutine")])

    def test_allows_coroutines_without_captures_and_captures_without_coroutines(self):
        for body in ("spawn([](Foo foo) -> Task<void> { co_return; });",
                     "sort([&](int a) { return a < n; }); co_return;",
                     "f([&] { return g([](int a) -> Task<int> { co_return a; }); });",
                     "for (auto& [a, b] : map) { co_return; }", "auto [a, b] = f(); { co_return; }",
                     "if (a[n]) [[likely]] { co_return; }", "int a[] {1}; co_return;"):
            with self.subTest(body):
                self.assertEqual(self.check_body(body), [])

    # header-alone

    def test_wants_a_comment_and_a_guard_in_a_header(self):
        path = "src/wire/frame.h"
        self.assertEqual(self.check("#pragma once\n", path), [(1, "header-alone")])
        self.assertEqual(self.check("// A frame. #pragma once\n", path), [(1, "header-alone")])
        self.assertEqual(self.check(HEADER, path), [])
        self.assertEqual(self.check("int a;\n", "testing/frame.h"), [])

    @unittest.skipUnless(shutil.which("clang++-19"), "needs clang++-19")
    def test_compiles_headers_alone(self):
        self.write("src/base/good.h", HEADER + "inline int size() { return LIMIT; }\n")
        self.write("src/wire/good.h", HEADER + '#include "base/good.h"\nint a(int b = size());\n')
        self.write("src/wire/bad.h", HEADER + "std::string name();\n")
        found = tidy.compile_headers(self.root, ["-DLIMIT=3"])
        self.assertEqual([finding[:3] for finding in found],
                         [("src/wire/bad.h", 1, "header-alone")])

    # filesystem

    def test_refuses_filesystem_calls_that_throw(self):
        for text in ("std::filesystem::exists(path)", "std::filesystem::exists(a(b, c))", "fs::is_directory(path)",
                     "fs::create_directories(path)", "fs::absolute(path).string()", "fs::remove_all(path, sorry)",
                     "fs::temp_directory_path()", "fs::exists(status)", "fs::copy_file(a, b, options)",
                     "::std::filesystem :: file_size (path)", "fs::rename(a, b)", "fs::current_path()"):
            with self.subTest(text):
                whole = f"namespace fs = std::filesystem;\nstd::error_code error;\nauto a = {text};\n"
                self.assertEqual(self.check(whole), [(3, "filesystem")])

    def test_refuses_iterators_whose_increment_throws_and_names_that_hide_calls(self):
        for text in ("for (const auto& entry : fs::directory_iterator(path, error)) use(entry);",
                     "fs::recursive_directory_iterator files(path);",
                     "for (fs::directory_iterator i(path, error); i != end; ++i) use(*i);",
                     "using std::filesystem::exists;", "using namespace std::filesystem;"):
            with self.subTest(text):
                whole = f"namespace fs = std::filesystem;\nvoid f(std::error_code error) {{\n{text}\n}}\n"
                self.assertEqual(self.check(whole), [(3, "filesystem")])

    def test_allows_filesystem_calls_that_return_their_error_and_paths(self):
        text = """namespace fs = std::filesystem;
            bool f(const fs::path& a, std::error_code& ours) {
              std::error_code error, ignored;
              fs::remove_all(a / "b", ignored);
              if (fs::exists(a, error) && fs::file_size(path(a, "b)"), ours) > 3) fs::rename(a, b, error);
              return fs::path(a).parent_path() == std::filesystem::path("exists(a)");  // fs::exists(a)
            }
            """
        self.assertEqual(self.check(text), [])
        throwing = "auto a = std::filesystem::exists(b);\n"
        for path in ("src/wire/frame_test.cc", "testing/a.cc", "bench/a.cc"):
            self.assertEqual(self.check(throwing, path), [])

    # names

    def test_refuses_names_that_say_nothing(self):
        for name in ("frame_utils", "common", "frame_manager", "test_helpers", "frame_impl"):
            self.assertEqual(self.check("int a;\n", f"src/wire/{name}.cc"), [(1, "names")])
        self.assertEqual(self.check("int a;\n", "src/wire/simple.cc"), [])

    def test_reports_a_folder_once(self):
        self.write("src/wire/utils/a.cc", "")
        self.write("src/wire/utils/b.cc", "")
        found = [finding[:3] for finding in tidy.check_tree(self.root)]
        self.assertEqual(found, [("src/wire/utils", 1, "names")])

    # todo

    def test_refuses_work_left_undone(self):
        for word in ("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"):
            for path in ("src/wire/a.cc", "tools/a.py", "tests/run.sh", "script/run"):
                with self.subTest(word=word, path=path):
                    text = f"#!/bin/bash\n# {word}: more\n"
                    self.assertEqual(self.check(text, path), [(2, "todo")])
            self.assertEqual(self.check(f"{word}\n", "tools/tidy.py"), [])
            self.assertEqual(self.check(f"{word}\n", "docs/a.md"), [])
        self.assertEqual(self.check("mktemp a.XXXXXX; // todo list\n"), [])

    # files and exit code

    def test_leaves_out_what_git_ignores(self):
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        self.write(".gitignore", "/out/\n")
        self.write("out/common.cc", "")
        self.write("src/wire/common.cc", "")
        found = [finding[0] for finding in tidy.check_tree(self.root)]
        self.assertEqual(found, ["src/wire/common.cc"])

    def test_prints_findings_and_exits_with_1(self):
        command = [sys.executable, tidy.__file__, "--root", self.root]
        self.write("src/wire/a.cc", "int a;\n")
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.write("src/wire/a.cc", "int a;\nvoid f() { usleep(1); }\n")
        done = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"^src/wire/a\.cc:2: sleep: usleep: .*\n$")


if __name__ == "__main__":
    unittest.main()
