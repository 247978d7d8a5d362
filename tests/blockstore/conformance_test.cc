// What every block store must do, whatever is behind it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "blockstore/digest.h"
#include "blockstore/path.h"
#include "tests/blockstore/stores.h"

namespace pegmove::conformance {
namespace {

using blockstore::Entry;
using blockstore::md5_hex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BlockStoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  void write(const std::string& path, std::string_view bytes, size_t piece = 1 << 20) {
    auto upload = store_->create(path);
    ASSERT_TRUE(upload) << upload.error().to_string();
    for (size_t at = 0; at < bytes.size(); at += piece) {
      auto appended = (*upload)->append(bytes.substr(at, piece));
      ASSERT_TRUE(appended) << appended.error().to_string();
    }
    auto finished = (*upload)->finish(md5_hex(bytes));
    ASSERT_TRUE(finished) << finished.error().to_string();
  }

  std::string read_all(const std::string& path) {
    std::string bytes;
    while (true) {
      auto piece = store_->read(path, int64_t(bytes.size()), store_->chunk_bytes());
      if (!piece) return "ERROR " + piece.error().to_string();
      if (piece->empty()) return bytes;
      bytes += *piece;
    }
  }

  std::vector<std::string> names(const std::string& path) {
    auto listed = store_->list(path);
    if (!listed) return {"ERROR " + listed.error().to_string()};
    std::vector<std::string> names;
    for (const auto& entry : *listed) names.push_back(entry.name + (entry.is_folder ? "/" : ""));
    return names;
  }

  bool proves(const std::string& path, std::string_view bytes) {
    auto proof = store_->prove(path);
    EXPECT_TRUE(proof) << proof.error().to_string();
    for (size_t at = 0; at < bytes.size(); at += 1000'001)
      (*proof)->feed(bytes.substr(at, 1000'001));
    auto holds = (*proof)->holds();
    EXPECT_TRUE(holds) << holds.error().to_string();
    return *holds;
  }

  std::unique_ptr<blockstore::BlockStore> store_ = make_store(GetParam());
};

TEST_P(BlockStoreTest, AFileComesBackAsItWent) {
  write("a/b/file", "some bytes\0and more");
  EXPECT_EQ(read_all("a/b/file"), "some bytes\0and more");
  auto entry = store_->stat("a/b/file");
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(entry->name, "file");
  EXPECT_FALSE(entry->is_folder);
  EXPECT_EQ(entry->size, int64_t(std::string_view("some bytes\0and more").size()));
}

TEST_P(BlockStoreTest, AnEmptyFileIsAFile) {
  write("empty", "");
  EXPECT_EQ(read_all("empty"), "");
  EXPECT_EQ(store_->stat("empty")->size, 0);
  EXPECT_TRUE(proves("empty", ""));
  EXPECT_FALSE(proves("empty", "x"));
}

TEST_P(BlockStoreTest, FilesOfManyPiecesAndBlocksAreWhole) {
  // Around the sizes of an S3 part, an HDFS block here, and a piece of 512 bytes.
  for (size_t size : {(8u << 20) - 1, 8u << 20, (8u << 20) + 1, (20u << 20) + 513, 513u, 512u}) {
    const auto bytes = random_bytes(size, uint32_t(size));
    write("big", bytes, 3'000'001);
    EXPECT_EQ(md5_hex(read_all("big")), md5_hex(bytes)) << size;
    EXPECT_TRUE(proves("big", bytes)) << size;
  }
}

TEST_P(BlockStoreTest, ProofNoticesOneBit) {
  auto bytes = random_bytes(9'000'000, 1);
  write("f", bytes);
  bytes[8'999'999] ^= 1;
  EXPECT_FALSE(proves("f", bytes));
  bytes[8'999'999] ^= 1;
  EXPECT_FALSE(proves("f", std::string_view(bytes).substr(1)));
  EXPECT_TRUE(proves("f", bytes));
}

TEST_P(BlockStoreTest, PartsOfFilesAreRead) {
  write("f", "0123456789");
  EXPECT_EQ(*store_->read("f", 3, 4), "3456");
  EXPECT_EQ(*store_->read("f", 8, 4), "89");
  EXPECT_EQ(*store_->read("f", 10, 4), "");
  EXPECT_EQ(*store_->read("f", 0, 0), "");
}

TEST_P(BlockStoreTest, PartsOfFilesAreReadIntoTheCallersMemory) {
  write("f", "0123456789");
  char bytes[] = "..........";
  EXPECT_EQ(*store_->read_into("f", 3, bytes, 4), 4u);
  EXPECT_STREQ(bytes, "3456......");
  EXPECT_EQ(*store_->read_into("f", 8, bytes, 4), 2u);
  EXPECT_STREQ(bytes, "8956......");
  EXPECT_EQ(*store_->read_into("f", 10, bytes, 4), 0u);
  EXPECT_EQ(store_->read_into("none", 0, bytes, 4).error().code(), Code::kNotFound);
}

TEST_P(BlockStoreTest, WhatIsNotThereIsNotFound) {
  for (auto code : {store_->stat("x/y").error().code(), store_->read("x/y", 0, 1).error().code(),
                    store_->prove("x/y").error().code(), store_->list("x/y").error().code()})
    EXPECT_EQ(code, Code::kNotFound);
  EXPECT_TRUE(store_->remove("x/y"));
  EXPECT_THAT(store_->stat("x/y").error().to_string(), HasSubstr("x/y"));
}

TEST_P(BlockStoreTest, AFolderListsWhatLiesInItAndNothingDeeper) {
  write("t/one", "1");
  write("t/two", "22");
  write("t/deep/three", "333");
  write("tt/four", "4444");
  EXPECT_THAT(names("t"), ElementsAre("deep/", "one", "two"));
  EXPECT_THAT(names(""), ElementsAre("t/", "tt/"));
  auto listed = store_->list("t");
  EXPECT_EQ((*listed)[2].size, 2);
  EXPECT_TRUE(store_->stat("t")->is_folder);
}

TEST_P(BlockStoreTest, AFolderOfManyFilesIsListedWhole) {
  const int count = GetParam().name == "s3" ? 1100 : 50;  // S3 lists a thousand at a time
  for (int i = 0; i < count; ++i) write("many/" + std::to_string(100'000 + i), "");
  EXPECT_EQ(names("many").size(), size_t(count));
  EXPECT_EQ(names("many").back(), std::to_string(100'000 + count - 1));
  EXPECT_TRUE(store_->remove("many"));
  EXPECT_EQ(store_->list("many").error().code(), Code::kNotFound);
}

TEST_P(BlockStoreTest, NamesMayHaveOddLetters) {
  for (const std::string name :
       {"a b", "c+d", "100%", "100%25", "e#f?g=h&i", "j:k;l,m", "n~o'p(q)", "\xC3\xA9\xE4\xB8\xAD",
        "chkpt_10.1.2.3_34801", "-r", "_", "[x]{y}"}) {
    if (GetParam().name.starts_with("hdfs") && name.contains(':'))
      continue;  // HDFS itself refuses it
    write("odd/" + name, name);
    EXPECT_EQ(read_all("odd/" + name), name);
    EXPECT_THAT(names("odd"), ElementsAre(name));
    EXPECT_TRUE(store_->remove("odd/" + name)) << name;
  }
}

TEST_P(BlockStoreTest, AFileIsReplacedAsAWhole) {
  write("f", random_bytes(2'000'000, 2));
  write("f", "short");
  EXPECT_EQ(read_all("f"), "short");
  EXPECT_EQ(store_->stat("f")->size, 5);
}

TEST_P(BlockStoreTest, AnUploadThatIsNotFinishedIsNotSeen) {
  write("f", "old");
  {
    auto upload = store_->create("f");
    ASSERT_TRUE((*upload)->append(random_bytes(9'000'000, 3)));
    EXPECT_EQ(read_all("f"), "old");
    EXPECT_THAT(names(""), ElementsAre("f"));
  }
  EXPECT_EQ(read_all("f"), "old");
  EXPECT_THAT(names(""), ElementsAre("f"));
  EXPECT_FALSE(store_->stat("g"));
}

TEST_P(BlockStoreTest, RemovingAFolderTakesAllThatIsInIt) {
  write("t/one", "1");
  write("t/deep/two", "2");
  write("other", "3");
  EXPECT_TRUE(store_->remove("t"));
  EXPECT_EQ(store_->list("t").error().code(), Code::kNotFound);
  EXPECT_THAT(names(""), ElementsAre("other"));
  EXPECT_TRUE(store_->remove("other"));
  EXPECT_EQ(store_->stat("other").error().code(), Code::kNotFound);
  EXPECT_EQ(store_->remove("").error().code(), Code::kRefused);
}

TEST_P(BlockStoreTest, FilesAndFoldersAreRenamedWhereTheStoreCan) {
  write("t/one", "1");
  if (!GetParam().renames) {
    EXPECT_EQ(store_->rename("t/one", "u/two").error().code(), Code::kUnsupported);
    return;
  }
  auto renamed = store_->rename("t/one", "u/two");
  ASSERT_TRUE(renamed) << renamed.error().to_string();
  EXPECT_EQ(read_all("u/two"), "1");
  EXPECT_FALSE(store_->stat("t/one"));
  EXPECT_TRUE(store_->rename("u", "v"));
  EXPECT_EQ(read_all("v/two"), "1");
  EXPECT_EQ(store_->rename("nothing", "x").error().code(), Code::kNotFound);
}

TEST_P(BlockStoreTest, NoPathLeadsOut) {
  for (const std::string path : {"..", "../x", "a/../../x", "./x", "a/./b", "a\nb"}) {
    EXPECT_EQ(store_->stat(path).error().code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(store_->read(path, 0, 1).error().code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(store_->create(path).error().code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(store_->remove(path).error().code(), Code::kInvalidArgument) << path;
  }
}

TEST_P(BlockStoreTest, ThreadsUseItTogether) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([this, t] {
      const auto path = "t/" + std::to_string(t);
      for (uint32_t i = 0; i < 5; ++i) {
        const auto bytes = random_bytes(300'000, uint32_t(t) * 100 + i);
        write(path, bytes);
        EXPECT_EQ(read_all(path), bytes);
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(names("t").size(), 6u);
}

INSTANTIATE_TEST_SUITE_P(Stores, BlockStoreTest, ::testing::ValuesIn(store_kinds()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace pegmove::conformance
