#include "compare/difference_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "record/key.h"

namespace pegmove::compare {
namespace {

namespace fs = std::filesystem;

class DifferenceFileTest : public ::testing::Test {
 protected:
  DifferenceFileTest() {
    std::string folder = ::testing::TempDir() + "pegmove-differences-XXXXXX";
    folder_ = mkdtemp(folder.data());
  }
  ~DifferenceFileTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  static std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  size_t files() const {
    return size_t(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  std::string folder_;
};

TEST_F(DifferenceFileTest, EveryKeyComesBack) {
  const std::string bytes("\0\xff\n\"", 4);
  for (const Difference& difference :
       {Difference{DifferenceKind::kMissing, "h", "s"}, Difference{DifferenceKind::kExtra, "", ""},
        Difference{DifferenceKind::kValue, bytes, "ü\n"},
        Difference{DifferenceKind::kExpiry, "h", bytes}}) {
    const auto line = difference_json(difference);
    EXPECT_EQ(line.find('\n'), std::string::npos);
    auto read = parse_difference(line);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ(*read, difference);
  }
}

TEST_F(DifferenceFileTest, WrongLinesAreRefused) {
  for (const std::string& line :
       {std::string("x"), std::string("[]"), std::string("{}"),
        std::string("missing  \"h\" : \"s\""), std::string(R"({"kind":"missing","hash_key":"h"})"),
        std::string(R"({"kind":"odd","hash_key":"h","sort_key":"s"})"),
        std::string(R"({"kind":7,"hash_key":"h","sort_key":"s"})"),
        std::string(R"({"kind":"missing","hash_key":7,"sort_key":"s"})"),
        std::string(R"({"kind":"missing","hash_key":"h","hash_key_b64":"aA==","sort_key":"s"})"),
        std::string(R"({"kind":"missing","hash_key_b64":"%","sort_key":"s"})"),
        std::string(R"({"kind":"missing","hash_key":"h","sort_key":"s","more":1})"),
        R"({"kind":"missing","sort_key":"","hash_key":")" +
            std::string(record::kMaxHashKeySize + 1, 'x') + "\"}",
        std::string(100'000, '[')})
    EXPECT_FALSE(parse_difference(line)) << line.substr(0, 80);
}

TEST_F(DifferenceFileTest, AWrongLineIsNamedAndTheNextIsRead) {
  std::ofstream(path("list"))
      << "\n{\"kind\":\"extra\",\"hash_key\":\"a\",\"sort_key\":\"\"}\r\nodd\n"
      << "{\"kind\":\"value\",\"hash_key\":\"b\",\"sort_key\":\"\"}";
  auto reader = DifferenceReader::open(path("list"));
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->next().value()->hash_key, "a");
  auto wrong = reader->next();
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().to_string().find("list line 3"), std::string::npos);
  EXPECT_EQ(reader->next().value()->hash_key, "b");
  EXPECT_FALSE(reader->next().value());
}

TEST_F(DifferenceFileTest, AByteOrderMarkIsSkipped) {
  std::ofstream(path("in")) << "\xef\xbb\xbf"
                            << R"({"kind":"extra","hash_key":"h","sort_key":"s"})";
  auto reader = DifferenceReader::open(path("in"));
  ASSERT_TRUE(reader);
  const auto read = reader->next();
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((*read)->hash_key, "h");
}

TEST_F(DifferenceFileTest, ALineWithoutAnEndIsRefusedWithoutBeingKept) {
  std::ofstream(path("list")) << std::string(DifferenceReader::kMostLineBytes + 1, 'x') << "\n";
  auto reader = DifferenceReader::open(path("list"));
  EXPECT_EQ(reader->next().error().code(), Code::kInvalidArgument);
  EXPECT_FALSE(reader->next().value());
}

TEST_F(DifferenceFileTest, FilesThatCannotBeReadAreNamed) {
  EXPECT_EQ(DifferenceReader::open(path("none")).error().code(), Code::kNotFound);
  auto folder = DifferenceReader::open(folder_);
  EXPECT_FALSE(folder && folder->next());
}

TEST_F(DifferenceFileTest, AnOutputAppearsWholeOrNotAtAll) {
  {
    auto output = TextOutput::open(path("out"));
    ASSERT_TRUE(output);
    ASSERT_TRUE(output->line("lost"));
    ASSERT_TRUE(output->flush());
    EXPECT_FALSE(fs::exists(path("out")));
  }
  EXPECT_EQ(files(), 0u);
  std::ofstream(path("out")) << "old";
  auto output = TextOutput::open(path("out"));
  ASSERT_TRUE(output->line("one"));
  ASSERT_TRUE(output->line("two"));
  EXPECT_EQ(text_of(path("out")), "old");
  ASSERT_TRUE(output->commit());
  EXPECT_EQ(text_of(path("out")), "one\ntwo\n");
  EXPECT_EQ(files(), 1u);
  EXPECT_FALSE(TextOutput::open(path("no folder/out")));
  EXPECT_FALSE(TextOutput::open(folder_));
}

TEST_F(DifferenceFileTest, APipeIsWrittenAsItIs) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  std::fstream reader(path("pipe"), std::ios::in | std::ios::out);  // both, or it would wait
  auto output = TextOutput::open(path("pipe"));
  ASSERT_TRUE(output);
  ASSERT_TRUE(output->line("one"));
  ASSERT_TRUE(output->commit());
  std::string line;
  std::getline(reader, line);
  EXPECT_EQ(line, "one");
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

}  // namespace
}  // namespace pegmove::compare
