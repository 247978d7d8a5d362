// Folders without sidecars. What every store must do is in tests/blockstore.
#include "blockstore/local_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "blockstore/digest.h"
#include "testing/test_folder.h"

namespace pegmove::blockstore {
namespace {

namespace fs = std::filesystem;
using pegmove::testing::read_file;
using pegmove::testing::write_file;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LocalStoreTest : public ::testing::Test {
 protected:
  void write(const std::string& path, std::string_view bytes) {
    auto upload = store_->create(path);
    ASSERT_TRUE(upload && (*upload)->append(bytes) && (*upload)->finish(md5_hex(bytes)));
  }

  pegmove::testing::TestFolder folder_;
  std::unique_ptr<BlockStore> store_ = make_local_store("local", folder_.path());
};

TEST_F(LocalStoreTest, AFileWithoutItsSidecarSaysSo) {
  write("a/file", "bytes");
  fs::remove(folder_ / "a/.file.meta");
  for (const auto& error : {store_->stat("a/file").error(), store_->read("a/file", 0, 9).error()}) {
    EXPECT_EQ(error.code(), Code::kNotFound);
    EXPECT_THAT(error.to_string(), HasSubstr("its sidecar .file.meta is missing"));
  }
  EXPECT_THAT(*store_->list("a"), ElementsAre());
  EXPECT_THAT(store_->stat("a/other").error().to_string(), ::testing::Not(HasSubstr("sidecar")));
}

TEST_F(LocalStoreTest, WithoutSidecarsEachFileCounts) {
  write("a/file", "bytes");
  write("a/other", "more");
  fs::remove(folder_ / "a/.file.meta");
  write_file(folder_ / "a/.other.meta", "rubbish");
  const auto bare = store_->without_sidecars();
  ASSERT_TRUE(bare);
  EXPECT_EQ(bare->without_sidecars(), nullptr);
  EXPECT_THAT(*bare->list("a"),
              ElementsAre(Entry{.name = "file", .size = 5}, Entry{.name = "other", .size = 4}));
  EXPECT_EQ(*bare->stat("a/file"), (Entry{.name = "file", .size = 5}));
  EXPECT_EQ(*bare->read("a/file", 1, 9), "ytes");
  EXPECT_EQ(bare->stat("a/none").error().code(), Code::kNotFound);
}

TEST_F(LocalStoreTest, ASidecarIsWrittenAsAnUploadWritesIt) {
  write("a/file", "bytes");
  const auto sidecar = folder_ / "a/.file.meta";
  const auto before = read_file(sidecar);
  for (const bool is_there : {true, false}) {
    if (!is_there) fs::remove(sidecar);
    write_file(is_there ? sidecar : folder_ / "unused", "rubbish");
    ASSERT_TRUE(store_->write_sidecar("a/file", md5_hex("bytes")));
    EXPECT_EQ(read_file(sidecar), before);
  }
  EXPECT_TRUE(store_->stat("a/file"));
  EXPECT_EQ(store_->write_sidecar("a/none", md5_hex("")).error().code(), Code::kNotFound);
}

TEST_F(LocalStoreTest, WithoutSidecarsLinksAreNoFiles) {
  write_file(folder_ / "outside", "bytes");
  fs::create_symlink(folder_ / "outside", folder_ / "link");
  const auto bare = store_->without_sidecars();
  EXPECT_FALSE(bare->stat("link"));
  EXPECT_FALSE(bare->read("link", 0, 1));
  EXPECT_FALSE(store_->write_sidecar("link", md5_hex("bytes")));
}

}  // namespace
}  // namespace pegmove::blockstore
