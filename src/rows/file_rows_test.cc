#include "rows/file_rows.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "async/all.h"
#include "async/run.h"
#include "record/key.h"
#include "testing/disk_steps.h"

namespace pegmove::rows {
namespace {

using testing::take_disk_steps;

class FileRowsTest : public ::testing::Test {
 protected:
  FileRowsTest() {
    std::string name = std::filesystem::temp_directory_path() / "pegmove_rows_XXXXXX";
    folder_ = mkdtemp(name.data());
  }
  ~FileRowsTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& text) {
    auto name = path("rows");
    std::ofstream(name, std::ios::binary) << text;
    return name;
  }
  static std::string read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }

  Result<File> open(const std::string& name) { return open_input(name, folder_); }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      names.push_back(entry.path().filename());
    return names;
  }

  // The number of rows, or the error's text.
  std::string check(const std::string& path, TextFormat format) {
    auto file = open(path);
    if (!file) return file.error().to_string();
    auto rows = check_rows(file->get(), path, format);
    return rows ? std::to_string(*rows) : rows.error().to_string();
  }

  struct Read {
    std::vector<OwnedRow> rows;
    std::vector<size_t> batches;
    std::optional<Error> error;
  };
  Read read_all(File file, const std::string& path, TextFormat format) {
    FileSource source(std::move(file), path, format, pool_);
    EXPECT_EQ(source.lanes(), 1);
    auto lane = source.open_lane(0, "");
    Read read;
    while (true) {
      auto batch = async::run_to_end(context_, lane->next());
      if (!batch) read.error = batch.error();
      if (!batch || !*batch) return read;
      read.batches.push_back((*batch)->rows.size());
      for (const auto& row : (*batch)->rows) {
        auto parts = record::split_key(row.key);
        EXPECT_TRUE(parts);
        read.rows.push_back({std::string(parts->hash_key), std::string(parts->sort_key),
                             std::string(row.value), row.expire_ts});
      }
    }
  }
  Read read_all(const std::string& path, TextFormat format) {
    return read_all(*open(path), path, format);
  }

  static RowBatch batch_of(const std::vector<OwnedRow>& rows) {
    std::string bytes;
    for (const auto& row : rows)
      bytes += record::encode_key(row.hash_key, row.sort_key) + row.value;
    RowBatch batch{SharedBytes::own(std::move(bytes)), {}};
    size_t at = 0;
    for (const auto& row : rows) {
      auto key_size = record::kHashKeyLengthSize + row.hash_key.size() + row.sort_key.size();
      batch.rows.push_back({batch.bytes.view.substr(at, key_size),
                            batch.bytes.view.substr(at + key_size, row.value.size()),
                            row.expire_ts});
      at += key_size + row.value.size();
    }
    return batch;
  }
  Result<void> write_all(const std::string& path, TextFormat format,
                         const std::vector<OwnedRow>& rows) {
    auto sink = TRY(FileSink::open(path, format, pool_));
    auto batch = batch_of(rows);
    TRY(async::run_to_end(context_, sink->write(batch)));
    return sink->close();
  }

  asio::io_context context_;
  async::Pool pool_{1};

 private:
  std::filesystem::path folder_;
};

TEST_F(FileRowsTest, AMissingFileIsNamed) {
  auto file = open(path("nowhere"));
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), Code::kNotFound);
  EXPECT_NE(file.error().message().find(path("nowhere")), std::string::npos);
}

TEST_F(FileRowsTest, AFolderIsNoFile) {
  EXPECT_NE(check(path(""), TextFormat::kTsv).find("Is a directory"), std::string::npos);
}

TEST_F(FileRowsTest, CountsRowsAndNotBlankLines) {
  EXPECT_EQ(check(write(""), TextFormat::kTsv), "0");
  EXPECT_EQ(check(write("\n\n\r\n\n"), TextFormat::kTsv), "0");
  EXPECT_EQ(check(write("\na\tb\tc\n\n\nd\te\tf\n\n"), TextFormat::kTsv), "2");
  EXPECT_EQ(check(write("\n{\"hash_key\":\"a\",\"sort_key\":\"\",\"value\":\"\"}\n\n"),
                  TextFormat::kJsonl),
            "1");
}

TEST_F(FileRowsTest, TheLastLineNeedsNoNewline) {
  for (std::string end : {"", "\n", "\r", "\r\n", "\n\n"}) {
    auto name = write("a\tb\tc\nd\te\tf" + end);
    EXPECT_EQ(check(name, TextFormat::kTsv), "2");
    auto read = read_all(name, TextFormat::kTsv);
    ASSERT_EQ(read.rows.size(), 2u);
    EXPECT_EQ(read.rows[1], (OwnedRow{"d", "e", "f", 0}));
  }
}

TEST_F(FileRowsTest, LinesMayEndLikeOnWindows) {
  auto tsv = read_all(write("a\tb\tc\r\n\r\nd\te\t\r\n"), TextFormat::kTsv);
  EXPECT_EQ(tsv.rows, (std::vector<OwnedRow>{{"a", "b", "c", 0}, {"d", "e", "", 0}}));
  auto jsonl = read_all(write("{\"hash_key\":\"a\",\"sort_key\":\"b\",\"value\":\"c\"}\r\n\r\n"),
                        TextFormat::kJsonl);
  EXPECT_EQ(jsonl.rows, (std::vector<OwnedRow>{{"a", "b", "c", 0}}));
}

TEST_F(FileRowsTest, ABadLineIsNamedByItsNumberInTheFile) {
  auto name = write("a\tb\tc\n\n\r\nd\te\tf\nonly one column\ng\th\ti\n");
  auto text = check(name, TextFormat::kTsv);
  EXPECT_TRUE(text.starts_with(name + " line 5: ")) << text;
  auto first = check(write("{}\n"), TextFormat::kJsonl);
  EXPECT_TRUE(first.starts_with(name + " line 1: ")) << first;
  auto last = check(write("a\tb\tc\nd"), TextFormat::kTsv);
  EXPECT_TRUE(last.starts_with(name + " line 2: ")) << last;
}

TEST_F(FileRowsTest, ErrorsOfStandardInputSaySo) {
  auto file = open(write("x\n"));
  auto rows = check_rows(file->get(), "-", TextFormat::kTsv);
  ASSERT_FALSE(rows);
  EXPECT_EQ(rows.error().code(), Code::kInvalidArgument);
  EXPECT_TRUE(rows.error().to_string().starts_with("standard input line 1: "));
}

TEST_F(FileRowsTest, ABadLineThatCameAfterTheCheckIsAnErrorOfTheSource) {
  auto name = write("a\tb\tc\nbad\nd\te\tf\n");
  auto read = read_all(name, TextFormat::kTsv);
  ASSERT_TRUE(read.error);
  EXPECT_TRUE(read.error->to_string().starts_with(name + " line 2: ")) << read.error->to_string();
}

TEST_F(FileRowsTest, AHashKeyThatIsTooLongIsABadLine) {
  std::string longest(record::kMaxHashKeySize, 'h');
  EXPECT_EQ(check(write(longest + "\t\t\n"), TextFormat::kTsv), "1");
  auto text = check(write("a\t\t\n" + longest + "h\t\t\n"), TextFormat::kTsv);
  EXPECT_NE(text.find(" line 2: hash_key has 65535 bytes"), std::string::npos) << text;
}

TEST_F(FileRowsTest, TheCheckLeavesTheFileAtItsBeginning) {
  auto name = write("a\tb\tc\nd\te\tf\n");
  auto file = open(name);
  ASSERT_EQ(check_rows(file->get(), name, TextFormat::kTsv).value_or(-1), 2);
  EXPECT_EQ(read_all(std::move(*file), name, TextFormat::kTsv).rows.size(), 2u);
}

// `pegmove import <(zcat rows.gz)`: it cannot be read twice, and yet no row may be lost.
TEST_F(FileRowsTest, RowsFromAPipeAreCheckedAndReadToo) {
  auto name = path("pipe");
  ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(name) << "a\tb\tc\nd\te\tf\n"; });
  auto file = open(name);
  writer.join();
  ASSERT_TRUE(file);
  ASSERT_EQ(check_rows(file->get(), name, TextFormat::kTsv).value_or(-1), 2);
  EXPECT_EQ(read_all(std::move(*file), name, TextFormat::kTsv).rows.size(), 2u);
}

// Calls what may write no more than `bytes` to a file.
template <typename Call>
auto with_files_of_at_most(rlim_t bytes, Call call) {
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  EXPECT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit lower{.rlim_cur = bytes, .rlim_max = limit.rlim_max};
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &lower), 0);
  auto done = call();
  EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  std::signal(SIGXFSZ, before);
  return done;
}

TEST_F(FileRowsTest, APipeIsKeptInTheFolderThatIsGivenAndErrorsNameIt) {
  auto name = path("pipe");
  ASSERT_EQ(mkfifo(name.c_str(), 0600), 0);
  const auto before = std::signal(SIGPIPE, SIG_IGN);  // the writer may be late
  const auto keep_in = [&](const std::string& folder) {
    std::thread writer([&] { std::ofstream(name) << "a\tb\tc\n"; });
    auto file = open_input(name, folder);
    writer.join();
    return file ? "" : file.error().to_string();
  };
  EXPECT_EQ(keep_in(path("")), "");
  const std::string hint = "; name another folder with TMPDIR, or give import a file";
  const auto begin = "keeping " + name + " in a temporary file in ";
  EXPECT_EQ(keep_in(path("nowhere")),
            begin + path("nowhere") + ": No such file or directory" + hint);
  // Not even the last bytes are lost in silence.
  std::filesystem::create_directory(path("here"));
  EXPECT_EQ(with_files_of_at_most(1, [&] { return keep_in(path("here")); }),
            begin + path("here") + ": File too large" + hint);
  EXPECT_TRUE(std::filesystem::is_empty(path("here")));
  std::signal(SIGPIPE, before);
}

TEST_F(FileRowsTest, AByteOrderMarkIsNoPartOfTheFirstKey) {
  const std::string mark = "\xef\xbb\xbf";
  EXPECT_EQ(read_all(write(mark + "a\tb\tc\n" + mark + "d\te\tf\n"), TextFormat::kTsv).rows,
            (std::vector<OwnedRow>{{"a", "b", "c", 0}, {mark + "d", "e", "f", 0}}));
  EXPECT_EQ(read_all(write(mark + "\r\na\tb\tc\n"), TextFormat::kTsv).rows,
            (std::vector<OwnedRow>{{"a", "b", "c", 0}}));
  EXPECT_EQ(
      read_all(write(mark + R"({"hash_key":"a","sort_key":"b","value":"c"})"), TextFormat::kJsonl)
          .rows,
      (std::vector<OwnedRow>{{"a", "b", "c", 0}}));
}

TEST_F(FileRowsTest, AKeyThatBeginsLikeAByteOrderMarkSurvivesAFile) {
  const std::vector<OwnedRow> rows{{"\xef\xbb\xbfh", "\xef\xbb\xbf", "\xef\xbb\xbf", 0},
                                   {"\xef\xbb\xbf", "", "", 0}};
  for (auto format : {TextFormat::kTsv, TextFormat::kJsonl}) {
    ASSERT_TRUE(write_all(path("out"), format, rows));
    EXPECT_EQ(read_all(path("out"), format).rows, rows);
  }
}

TEST_F(FileRowsTest, Utf16IsRefused) {
  using namespace std::string_literals;
  for (const auto& text :
       {"\xff\xfe"s + "h\0\t\0s\0\t\0v\0\n\0"s, "\xfe\xff"s + "\0h\0\t\0s\0\t\0v\0\n"s})
    for (auto format : {TextFormat::kTsv, TextFormat::kJsonl}) {
      const auto name = write(text);
      EXPECT_EQ(check(name, format),
                name + " line 1: this is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8");
    }
}

TEST_F(FileRowsTest, ManyRowsComeInBatches) {
  std::string text;
  for (int i = 0; i < 2500; ++i) text += "h\t" + std::to_string(i) + "\t\n";
  auto read = read_all(write(text), TextFormat::kTsv);
  EXPECT_EQ(read.batches, (std::vector<size_t>{1000, 1000, 500}));
  for (int i = 0; i < 2500; ++i) ASSERT_EQ(read.rows[size_t(i)].sort_key, std::to_string(i));
}

TEST_F(FileRowsTest, LargeRowsComeInBatchesOfAboutAMegabyte) {
  std::string text;
  for (int i = 0; i < 10; ++i)
    text += "h\t" + std::to_string(i) + "\t" + std::string(400'000, 'v') + "\n";
  EXPECT_EQ(read_all(write(text), TextFormat::kTsv).batches, (std::vector<size_t>{3, 3, 3, 1}));
}

TEST_F(FileRowsTest, AVeryLongLineIsReadWhole) {
  std::string value(20 << 20, 'v');
  auto name = write("h\ts\t" + value + "\n");
  EXPECT_EQ(check(name, TextFormat::kTsv), "1");
  auto read = read_all(name, TextFormat::kTsv);
  ASSERT_EQ(read.rows.size(), 1u);
  EXPECT_EQ(read.rows[0].value, value);
}

TEST_F(FileRowsTest, ALineWithoutEndIsRefused) {
  auto name = write("a\tb\tc\n" + std::string((64 << 20) + 1, 'x'));
  EXPECT_EQ(check(name, TextFormat::kTsv), name + " line 2: line longer than 64 MiB");
}

TEST_F(FileRowsTest, AFileThatCannotBeMadeIsNamed) {
  auto sink = FileSink::open(path("nowhere/rows"), TextFormat::kTsv, pool_);
  ASSERT_FALSE(sink);
  EXPECT_EQ(sink.error().code(), Code::kIo);
  EXPECT_NE(sink.error().message().find(path("nowhere/rows")), std::string::npos);
}

TEST_F(FileRowsTest, AFullDiskIsAnErrorAtCloseAtTheLatest) {
  auto small = write_all("/dev/full", TextFormat::kTsv, {{"h", "s", "v", 0}});
  ASSERT_FALSE(small);
  EXPECT_EQ(small.error().code(), Code::kIo);
  EXPECT_NE(small.error().message().find("/dev/full"), std::string::npos);
  EXPECT_NE(small.error().message().find("No space left"), std::string::npos)
      << small.error().message();
  auto large = write_all("/dev/full", TextFormat::kTsv, {{"h", "s", std::string(1 << 20, 'v'), 0}});
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code(), Code::kIo);
}

TEST_F(FileRowsTest, ASinkReplacesWhatStoodInTheFile) {
  auto name = write("long text that stood here before\n");
  ASSERT_TRUE(write_all(name, TextFormat::kTsv, {{"h", "s", "v", 0}}));
  EXPECT_EQ(read(name), "h\ts\tv\n");
}

TEST_F(FileRowsTest, TheRowsAreOnTheDiskBeforeTheFileHasItsName) {
  take_disk_steps();
  ASSERT_TRUE(write_all(path("out"), TextFormat::kTsv, {{"h", "s", "v", 0}}));
  EXPECT_EQ(take_disk_steps(),
            (std::vector<std::string>{"sync 6 bytes", "rename to out", "sync the folder"}));
}

TEST_F(FileRowsTest, AnExportThatDoesNotEndLeavesNothing) {
  auto name = write("what stood here before\n");
  {
    auto sink = FileSink::open(name, TextFormat::kTsv, pool_);
    ASSERT_TRUE(sink);
    auto batch = batch_of({{"h", "s", std::string(1 << 20, 'v'), 0}});
    ASSERT_TRUE(async::run_to_end(context_, (*sink)->write(batch)));
    EXPECT_EQ(files().size(), 2u);
  }
  EXPECT_EQ(files(), std::vector<std::string>{"rows"});
  EXPECT_EQ(read(name), "what stood here before\n");
}

TEST_F(FileRowsTest, FilesThatAreNamedAlikeAreLeftAlone) {
  for (const char* end : {".part", ".tmp", ".new"}) std::ofstream(path("out") + end) << "mine";
  ASSERT_TRUE(write_all(path("out"), TextFormat::kTsv, {{"h", "s", "v", 0}}));
  EXPECT_EQ(read(path("out")), "h\ts\tv\n");
  for (const char* end : {".part", ".tmp", ".new"}) EXPECT_EQ(read(path("out") + end), "mine");
}

TEST_F(FileRowsTest, TwoExportsToOneFileDoNotMix) {
  auto first = FileSink::open(path("out"), TextFormat::kTsv, pool_);
  ASSERT_TRUE(first);
  auto batch = batch_of({{"first", "s", "v", 0}});
  ASSERT_TRUE(async::run_to_end(context_, (*first)->write(batch)));
  ASSERT_TRUE(write_all(path("out"), TextFormat::kTsv, {{"second", "s", "v", 0}}));
  EXPECT_EQ(read(path("out")), "second\ts\tv\n");
  ASSERT_TRUE((*first)->close());
  EXPECT_EQ(read(path("out")), "first\ts\tv\n");
}

TEST_F(FileRowsTest, ALinkStaysAndTheFileBehindItIsReplaced) {
  auto name = write("old\n");
  std::filesystem::create_symlink("rows", path("link"));
  ASSERT_TRUE(write_all(path("link"), TextFormat::kTsv, {{"h", "s", "v", 0}}));
  EXPECT_TRUE(std::filesystem::is_symlink(path("link")));
  EXPECT_EQ(read(name), "h\ts\tv\n");
}

TEST_F(FileRowsTest, StandardOutputIsWrittenFromWhereItIs) {
  for (const std::string out : {"-", "/dev/stdout", "/dev/fd/1"}) {
    ::testing::internal::CaptureStdout();
    std::printf("before\n");
    std::fflush(stdout);
    auto written = write_all(out, TextFormat::kTsv, {{"h", "s", "v", 0}});
    EXPECT_EQ(::testing::internal::GetCapturedStdout(), "before\nh\ts\tv\n") << out;
    EXPECT_TRUE(written);
  }
}

TEST_F(FileRowsTest, NoRowsMakeAnEmptyFile) {
  ASSERT_TRUE(write_all(path("out"), TextFormat::kJsonl, {}));
  EXPECT_EQ(read(path("out")), "");
}

TEST_F(FileRowsTest, BatchesOfManyLanesDoNotMixWithinALine) {
  auto name = path("out");
  auto sink = FileSink::open(name, TextFormat::kTsv, pool_);
  ASSERT_TRUE(sink);
  std::vector<RowBatch> batches;
  for (int i = 0; i < 20; ++i)
    batches.push_back(batch_of(
        std::vector<OwnedRow>(50, {std::to_string(i), "s", std::string(500, char('a' + i)), 0})));
  std::vector<Task<>> writes;
  auto write = [](FileSink& sink, const RowBatch& batch) -> Task<> {
    CO_TRY(co_await sink.write(batch));
    co_return Result<void>();
  };
  for (const auto& batch : batches) writes.push_back(write(**sink, batch));
  ASSERT_TRUE(async::run_to_end(context_, async::all(std::move(writes))));
  ASSERT_TRUE((*sink)->close());
  auto read = read_all(name, TextFormat::kTsv);
  ASSERT_EQ(read.rows.size(), 1000u);
  for (const auto& row : read.rows)
    ASSERT_EQ(row.value, std::string(500, char('a' + std::stoi(row.hash_key))));
}

std::string any_bytes(std::mt19937& random, size_t most) {
  std::string bytes(std::uniform_int_distribution<size_t>(0, most)(random), '\0');
  for (auto& byte : bytes) byte = char(random());
  return bytes;
}

TEST_F(FileRowsTest, AnyBytesAndExpiriesSurviveAFile) {
  std::mt19937 random(7);
  std::vector<OwnedRow> rows{{"", "", "", 0},
                             {"\n", "\r", "\t", 1},
                             {"\\n", "\\", "\"", UINT32_MAX},
                             {"\r\n", "\n\n", "{}\r", 0}};
  for (int i = 0; i < 1500; ++i)
    rows.push_back({any_bytes(random, 12), any_bytes(random, 12), any_bytes(random, 300),
                    i % 3 == 0 ? uint32_t(random()) : 0});
  for (auto format : {TextFormat::kTsv, TextFormat::kJsonl}) {
    auto name = path("out");
    ASSERT_TRUE(write_all(name, format, rows));
    EXPECT_EQ(check(name, format), std::to_string(rows.size()));
    EXPECT_EQ(read_all(name, format).rows, rows);
  }
}

}  // namespace
}  // namespace pegmove::rows
