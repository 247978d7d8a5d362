// S3 as other servers than Amazon's speak it. What every store must do is in tests/blockstore.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blockstore/digest.h"
#include "blockstore/s3_store.h"
#include "testing/fake_s3.h"
#include "testing/sim_clock.h"

namespace pegmove::blockstore {
namespace {

using pegmove::testing::FakeS3;
using pegmove::testing::FakeS3Options;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class S3StoreTest : public ::testing::Test {
 protected:
  void start(FakeS3Options options) {
    server_ = std::make_unique<FakeS3>(std::move(options));
    const auto args = server_->args();
    const auto space = args.find(' ');
    store_ = make_s3_store({.name = "s3",
                            .endpoint = args.substr(0, space),
                            .bucket = args.substr(space + 1),
                            .credentials = {.access_key = "key", .secret_key = "secret"}},
                           clock_);
  }
  Result<void> write(const std::string& path, std::string_view bytes) {
    auto upload = TRY(store_->create(path));
    TRY(upload->append(bytes));
    return upload->finish(md5_hex(bytes));
  }
  Result<bool> proves(const std::string& path, std::string_view bytes) {
    auto proof = TRY(store_->prove(path));
    proof->feed(bytes);
    return proof->holds();
  }
  static std::string bytes_of(size_t size) {
    std::string bytes(size, '\0');
    for (size_t i = 0; i < size; ++i) bytes[i] = char(i * 7 + i / 251);
    return bytes;
  }
  // Files and folders, so that pages end at both.
  void put_many() {
    for (int i = 0; i < 7; ++i) {
      server_->set_object(fmt::format("t/{}", i), "x");
      server_->set_object(fmt::format("t/{}folder/a", i), "x");
      server_->set_object(fmt::format("t/{}folder/b", i), "x");
    }
    server_->set_object("other", "x");
  }
  std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> names;
    auto listed = store_->list(path);
    EXPECT_TRUE(listed) << listed.error().to_string();
    if (listed)
      for (const auto& entry : *listed) names.push_back(entry.name + (entry.is_folder ? "/" : ""));
    return names;
  }

  pegmove::testing::SimClock clock_;
  std::unique_ptr<FakeS3> server_;
  std::unique_ptr<BlockStore> store_;
};

class S3ListTest : public S3StoreTest,
                   public ::testing::WithParamInterface<FakeS3Options::Lists> {};

TEST_P(S3ListTest, AllPagesAreListed) {
  for (const size_t page_keys : {1, 2, 3, 4, 1000}) {
    start({.lists = GetParam(), .page_keys = page_keys});
    put_many();
    EXPECT_THAT(names("t"),
                ElementsAre("0", "0folder/", "1", "1folder/", "2", "2folder/", "3", "3folder/", "4",
                            "4folder/", "5", "5folder/", "6", "6folder/"))
        << page_keys;
    EXPECT_THAT(names(""), ElementsAre("other", "t/")) << page_keys;
    EXPECT_TRUE(store_->stat("t")->is_folder);
  }
}

TEST_P(S3ListTest, AFolderIsRemovedWhole) {
  start({.lists = GetParam(), .page_keys = 5});
  put_many();
  ASSERT_TRUE(store_->remove("t"));
  EXPECT_EQ(server_->objects(), (std::map<std::string, std::string>{{"other", "x"}}));
}

INSTANTIATE_TEST_SUITE_P(Servers, S3ListTest,
                         ::testing::Values(FakeS3Options::Lists::kWhole,
                                           FakeS3Options::Lists::kNoToken,
                                           FakeS3Options::Lists::kFirstVersion));

TEST_F(S3StoreTest, AListThatIsCutIsAnError) {
  start({.lists = FakeS3Options::Lists::kCut, .page_keys = 5});
  put_many();
  const auto before = server_->objects();
  const auto listed = store_->list("t");
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code(), Code::kProtocol);
  EXPECT_THAT(
      listed.error().to_string(),
      ::testing::AllOf(HasSubstr("listing t"), HasSubstr("only some of the keys, up to t/2"),
                       HasSubstr("NextContinuationToken")));
  const auto removed = store_->remove("t");
  ASSERT_FALSE(removed);
  EXPECT_THAT(removed.error().to_string(), HasSubstr("removing t"));
  EXPECT_EQ(server_->objects(), before);
  // The first page says enough here.
  EXPECT_TRUE(store_->stat("t")->is_folder);
}

class S3EtagTest : public S3StoreTest,
                   public ::testing::WithParamInterface<FakeS3Options::Etags> {};

TEST_P(S3EtagTest, FilesOfOnePartAndOfMoreAreUploaded) {
  start({.etags = GetParam()});
  for (const size_t size : {size_t(0), size_t(100), (size_t(8) << 20) + 1}) {
    const auto bytes = bytes_of(size);
    const auto written = write("f", bytes);
    ASSERT_TRUE(written) << size << ": " << written.error().to_string();
    EXPECT_EQ(md5_hex(server_->objects().at("f")), md5_hex(bytes));
  }
}

TEST_P(S3EtagTest, AFileIsProvedByWhateverTheServerKnows) {
  start({.etags = GetParam()});
  for (const size_t size : {size_t(100), (size_t(8) << 20) + 1}) {
    auto bytes = bytes_of(size);
    ASSERT_TRUE(write("f", bytes));
    EXPECT_TRUE(proves("f", bytes).value_or(false));
    bytes.back() ^= 1;
    EXPECT_FALSE(proves("f", bytes).value_or(true));
    bytes.pop_back();
    EXPECT_FALSE(proves("f", bytes).value_or(true));
  }
}

INSTANTIATE_TEST_SUITE_P(Servers, S3EtagTest,
                         ::testing::Values(FakeS3Options::Etags::kMd5, FakeS3Options::Etags::kOther,
                                           FakeS3Options::Etags::kNone));

TEST_F(S3StoreTest, ASmallFileIsProvedWithoutReadingIt) {
  start({.etags = FakeS3Options::Etags::kOther});
  ASSERT_TRUE(write("f", "bytes"));
  EXPECT_TRUE(proves("f", "bytes").value_or(false));
  EXPECT_EQ(server_->requests("GET"), 0);
}

TEST_F(S3StoreTest, AnErrorWithTheStatusOfASuccessIsAnError) {
  start({.put_error = "AccessDenied"});
  for (const size_t size : {size_t(100), (size_t(8) << 20) + 1}) {
    const auto written = write("f", bytes_of(size));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), Code::kRefused);
    EXPECT_THAT(written.error().to_string(),
                HasSubstr("HTTP status 200, AccessDenied: AccessDenied of a test"));
  }
  start({.put_error = "SlowDown"});
  EXPECT_EQ(write("f", "x").error().code(), Code::kBusy);
  EXPECT_THAT(server_->objects(), UnorderedElementsAre());
}

TEST_F(S3StoreTest, WhatIsNotThereIsRemoved) {
  start({.has_no_such_key = true});
  EXPECT_TRUE(store_->remove("nothing"));
}

TEST_F(S3StoreTest, WrongKeysAreNamedAsSuch) {
  start({});
  const auto args = server_->args();
  store_ = make_s3_store({.name = "s3",
                          .endpoint = args.substr(0, args.find(' ')),
                          .bucket = "bucket",
                          .credentials = {.access_key = "key", .secret_key = "wrong"}},
                         clock_);
  EXPECT_EQ(write("f", "x").error().code(), Code::kUnauthenticated);
}

}  // namespace
}  // namespace pegmove::blockstore
