// What providers are configured with, and the parts of the stores that need no server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "blockstore/hdfs_checksum.h"
#include "blockstore/hdfs_config.h"
#include "blockstore/http.h"
#include "blockstore/path.h"
#include "blockstore/provider.h"
#include "blockstore/s3_store.h"
#include "testing/sim_clock.h"

namespace pegmove::blockstore {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "pegmove-options-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    for (auto name : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
                      "HADOOP_USER_NAME", "PEGMOVE_HDFS_TOKEN", "HADOOP_CONF_DIR"})
      unsetenv(name);
  }
  ~OptionsTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  static std::string site(const std::map<std::string, std::string>& properties) {
    std::string text = "<?xml version=\"1.0\"?><configuration>";
    for (const auto& [name, value] : properties)
      text += "<property><name>" + name + "</name><value>" + value + "</value></property>";
    return text + "</configuration>";
  }
  std::string error(const std::string& type, const std::string& args) {
    auto opened = open_store({.name = "x", .type = type, .args = args}, clock_);
    return opened ? "" : opened.error().to_string();
  }

  std::string folder_;
  pegmove::testing::SimClock clock_;
};

TEST_F(OptionsTest, PathsAreMadeTheFormOfThePort) {
  EXPECT_EQ(*check_path("/user//pegasus/backup/"), "user/pegasus/backup");
  EXPECT_EQ(*check_path(""), "");
  for (auto path : {"..", "a/../b", "./a", "a/.",
                    "a\x01"
                    "b",
                    "a\x7f"})
    EXPECT_FALSE(check_path(path));
  EXPECT_FALSE(check_path(std::string(5000, 'a')));
  EXPECT_TRUE(is_name("000012.sst"));
  for (auto name : {"", ".", "..", "a/b", "a\n"}) EXPECT_FALSE(is_name(name));
  EXPECT_EQ(join("", "a", "", "b"), "a/b");
  EXPECT_EQ(parent_of("a/b/c"), "a/b");
  EXPECT_EQ(name_of("a/b/c"), "c");
}

TEST_F(OptionsTest, WhatIsWrongInASectionIsNamed) {
  EXPECT_THAT(error("nfs_service", "x"), HasSubstr("[block_service.x]"));
  EXPECT_THAT(error("nfs_service", "x"), HasSubstr("local_service, hdfs_service and s3_service"));
  EXPECT_THAT(error("local_service", "relative/path"), HasSubstr("one absolute path"));
  EXPECT_THAT(error("local_service", "/a /b"), HasSubstr("one absolute path"));
  EXPECT_THAT(error("hdfs_service", ""), HasSubstr("must begin with the name node"));
  EXPECT_THAT(error("hdfs_service", "hdfs://service/ /r"), HasSubstr("HADOOP_CONF_DIR"));
  EXPECT_THAT(error("hdfs_service", "hdfs://nn:8020/ colour=red"), HasSubstr("'colour'"));
  EXPECT_THAT(error("hdfs_service", "hdfs://nn:8020/ webhdfs=nn:9870"), HasSubstr("http://"));
  EXPECT_THAT(error("hdfs_service", "hdfs://nn:8020/ timeout=0s"), HasSubstr("timeout"));
  EXPECT_THAT(error("s3_service", "http://h"), HasSubstr("endpoint and the bucket"));
  EXPECT_THAT(error("s3_service", "h:9000 b"), HasSubstr("http:// or https://"));
  EXPECT_THAT(error("s3_service", "http://h b"), HasSubstr("AWS_ACCESS_KEY_ID"));
  EXPECT_THAT(error("s3_service", "http://k:secret@h b"), HasSubstr("must not contain keys"));
}

TEST_F(OptionsTest, SecretsInArgsAreNotRepeated) {
  EXPECT_THAT(error("s3_service", "http://k:hunter2@h b"), ::testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(error("s3_service", "http://h b secret=hunter2"),
              ::testing::Not(HasSubstr("hunter2")));
  const auto file = write("keys", "[default]\naws_access_key_id = a\nsecret = hunter2\n");
  EXPECT_THAT(error("s3_service", "http://h b credentials=" + file),
              ::testing::AllOf(HasSubstr(file), ::testing::Not(HasSubstr("hunter2"))));
}

TEST_F(OptionsTest, S3KeysComeFromTheEnvironmentOrAFile) {
  const auto file = write("keys",
                          "[default]\naws_access_key_id = a\naws_secret_access_key=b\n\n"
                          "[other]\naws_access_key_id=c\naws_secret_access_key = d\n"
                          "aws_session_token = e\n");
  auto options = parse_s3_args("x", {"https://h:9000/", "bucket", "some/prefix", "style=host",
                                     "region=eu-1", "credentials=" + file, "profile=other"});
  ASSERT_TRUE(options) << options.error().to_string();
  EXPECT_EQ(options->endpoint, "https://h:9000");
  EXPECT_EQ(options->prefix, "some/prefix");
  EXPECT_TRUE(options->virtual_host);
  EXPECT_EQ(options->credentials.access_key, "c");
  EXPECT_EQ(options->credentials.secret_key, "d");
  EXPECT_EQ(options->credentials.session_token, "e");
  setenv("AWS_ACCESS_KEY_ID", "k", 1);
  setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
  EXPECT_EQ(parse_s3_args("x", {"http://h", "bucket"})->credentials.access_key, "k");
}

TEST_F(OptionsTest, NameNodesOfAServiceComeFromHadoopsConfiguration) {
  write("hdfs-site.xml", site({{"dfs.nameservices", "xxxprc-hadoop"},
                               {"dfs.ha.namenodes.xxxprc-hadoop", "nn1, nn2"},
                               {"dfs.namenode.http-address.xxxprc-hadoop.nn1", "host1:9870"},
                               {"dfs.namenode.http-address.xxxprc-hadoop.nn2", "host2:9870"}}));
  write("core-site.xml", site({{"fs.defaultFS", "hdfs://xxxprc-hadoop"}}));
  for (auto name_node : {"hdfs://xxxprc-hadoop/", "hdfs://xxxprc-hadoop", "default"}) {
    auto options = parse_hdfs_args("x", {name_node, "/root"}, folder_);
    ASSERT_TRUE(options) << options.error().to_string();
    EXPECT_THAT(options->addresses, ElementsAre("http://host1:9870", "http://host2:9870"));
    EXPECT_EQ(options->root, "/root");
  }
  EXPECT_THAT(parse_hdfs_args("x", {"hdfs://nn:8020/"}, folder_)->addresses,
              ElementsAre("http://nn:9870"));
  write("hdfs-site.xml", "<configuration><property>");
  EXPECT_THAT(parse_hdfs_args("x", {"hdfs://xxxprc-hadoop/"}, folder_).error().to_string(),
              HasSubstr("hdfs-site.xml"));
}

TEST_F(OptionsTest, HttpsAddressesAreTakenWhereOnlyHttpsIsServed) {
  write("hdfs-site.xml", site({{"dfs.http.policy", "HTTPS_ONLY"},
                               {"dfs.ha.namenodes.s", "a"},
                               {"dfs.namenode.https-address.s.a", "h:9871"}}));
  EXPECT_THAT(parse_hdfs_args("x", {"hdfs://s/"}, folder_)->addresses,
              ElementsAre("https://h:9871"));
}

TEST_F(OptionsTest, AnHdfsTokenComesFromAFileOrTheEnvironment) {
  const auto file = write("token", "abc\n");
  EXPECT_EQ(parse_hdfs_args("x", {"hdfs://n:1/", "token_file=" + file}, "")->token, "abc");
  setenv("PEGMOVE_HDFS_TOKEN", "env", 1);
  setenv("HADOOP_USER_NAME", "me", 1);
  auto options = parse_hdfs_args("x", {"hdfs://n:1/"}, "");
  EXPECT_EQ(options->token, "env");
  EXPECT_EQ(options->user, "me");
  EXPECT_FALSE(parse_hdfs_args("x", {"hdfs://n:1/", "token_file=/nothing/here"}, ""));
}

// As Kubernetes mounts them: a link to a file below a link to a folder.
TEST_F(OptionsTest, FilesWithSecretsMayBeLinks) {
  namespace fs = std::filesystem;
  fs::create_directory(folder_ + "/..2024_01_01");
  write("..2024_01_01/keys", "[default]\naws_access_key_id = a\naws_secret_access_key = b\n");
  write("..2024_01_01/token", "abc\n");
  fs::create_symlink("..2024_01_01", folder_ + "/..data");
  for (const std::string name : {"keys", "token"})
    fs::create_symlink("..data/" + name, folder_ + "/" + name);
  const auto s3 = parse_s3_args("x", {"http://h", "bucket", "credentials=" + folder_ + "/keys"});
  ASSERT_TRUE(s3) << s3.error().to_string();
  EXPECT_EQ(s3->credentials.secret_key, "b");
  const auto hdfs = parse_hdfs_args("x", {"hdfs://n:1/", "token_file=" + folder_ + "/token"}, "");
  ASSERT_TRUE(hdfs) << hdfs.error().to_string();
  EXPECT_EQ(hdfs->token, "abc");
}

TEST_F(OptionsTest, FilesWithSecretsThatOthersMayWriteAreRefused) {
  namespace fs = std::filesystem;
  const auto keys =
      write("keys", "[default]\naws_access_key_id = a\naws_secret_access_key = hunter2\n");
  const auto token = write("token", "hunter2");
  fs::create_symlink(keys, folder_ + "/link");
  for (const int mode : {0602, 0620, 0666, 0400, 0444, 0600, 0644, 0755}) {
    const bool is_refused = (mode & 022) != 0;
    for (const auto& file : {keys, token}) fs::permissions(file, fs::perms(mode));
    for (const auto& path : {keys, folder_ + "/link"}) {
      const auto s3 = parse_s3_args("x", {"http://h", "bucket", "credentials=" + path});
      ASSERT_EQ(s3.has_value(), !is_refused) << mode;
      if (s3) continue;  // the counterpart is above
      EXPECT_EQ(s3.error().code(), Code::kRefused);
      EXPECT_THAT(s3.error().to_string(),
                  ::testing::AllOf(HasSubstr("credentials: " + path), HasSubstr("chmod go-w"),
                                   ::testing::Not(HasSubstr("hunter2"))));
    }
    EXPECT_EQ(parse_hdfs_args("x", {"hdfs://n:1/", "token_file=" + token}, "").has_value(),
              !is_refused)
        << mode;
  }
}

TEST_F(OptionsTest, OnlyAnHdfsWithARootFolderRefusesPathsOfItsOwn) {
  EXPECT_TRUE(has_root({.name = "x", .type = "hdfs_service", .args = "hdfs://n:1/ /root"}));
  EXPECT_FALSE(has_root({.name = "x", .type = "hdfs_service", .args = "hdfs://n:1/ /"}));
  EXPECT_FALSE(has_root({.name = "x", .type = "hdfs_service", .args = "hdfs://n:1/ user=a"}));
  EXPECT_FALSE(has_root({.name = "x", .type = "local_service", .args = "/root"}));
}

// The example of AWS's documentation of Signature Version 4 for S3: "GET Object".
TEST(S3SignTest, SignsAsTheDocumentationDoes) {
  const S3Request request{
      .method = "GET",
      .host = "examplebucket.s3.amazonaws.com",
      .path = "/test.txt",
      .query = {},
      .headers = {{"range", "bytes=0-9"}},
      .payload_sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};
  const auto headers = s3_sign(request,
                               {.access_key = "AKIAIOSFODNN7EXAMPLE",
                                .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
                               "us-east-1", "20130524T000000Z");
  EXPECT_EQ(headers.at("authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
            "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

// HTTP clients leave the scheme's own port out of the Host header, which the signature covers.
TEST(S3SignTest, TheSchemesOwnPortIsNoPartOfTheHost) {
  for (const auto& [endpoint, host] :
       std::map<std::string, std::string>{{"http://h:80", "h"},
                                          {"http://h:080", "h"},
                                          {"https://h:443", "h"},
                                          {"https://h:", "h"},
                                          {"http://h", "h"},
                                          {"http://h:443", "h:443"},
                                          {"https://h:80", "h:80"},
                                          {"http://h:8080", "h:8080"},
                                          {"http://[::1]", "[::1]"},
                                          {"http://[::1]:80", "[::1]"},
                                          {"http://[::1]:9000", "[::1]:9000"}})
    EXPECT_EQ(s3_host(endpoint), host) << endpoint;
}

TEST(S3SignTest, TheHostIsSentAsItIsSigned) {
  const S3Request request{
      .method = "GET", .host = "h:9000", .path = "/", .query = {}, .payload_sha256 = ""};
  const auto headers =
      s3_sign(request, {.access_key = "k", .secret_key = "s"}, "r", "20130524T000000Z");
  EXPECT_EQ(headers.at("host"), "h:9000");
}

TEST(S3SignTest, QueriesAreSortedAndEncoded) {
  EXPECT_EQ(s3_query({{"prefix", "a/b c"}, {"delimiter", "/"}, {"uploads", ""}}),
            "delimiter=%2F&prefix=a%2Fb%20c&uploads=");
}

TEST(HdfsChecksumTest, DoesNotDependOnHowTheBytesCome) {
  std::string bytes(5000, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = char(i * 7);
  HdfsFileSum whole;
  whole.feed(bytes);
  for (size_t piece : {1u, 100u, 511u, 512u, 513u, 1024u}) {
    HdfsFileSum sum;
    for (size_t at = 0; at < bytes.size(); at += piece)
      sum.feed(std::string_view(bytes).substr(at, piece));
    EXPECT_EQ(sum.size(), 5000);
    EXPECT_EQ(sum.md5(1024), whole.md5(1024)) << piece;
    EXPECT_NE(sum.md5(1024), whole.md5(1 << 20));
  }
}

TEST(HdfsChecksumTest, OtherAlgorithmsAreNotUnderstood) {
  const std::string bytes = "0000020000000000000000000123456789abcdef0123456789abcdef";
  auto checksum = HdfsChecksum::parse("MD5-of-0MD5-of-512CRC32C", bytes);
  ASSERT_TRUE(checksum);
  EXPECT_EQ(checksum->bytes_per_crc, 512);
  EXPECT_EQ(base::to_hex(checksum->md5), "0123456789abcdef0123456789abcdef");
  EXPECT_FALSE(HdfsChecksum::parse("COMPOSITE-CRC32C", bytes));
  EXPECT_FALSE(HdfsChecksum::parse("MD5-of-0MD5-of-512CRC32C", "0000"));
  EXPECT_FALSE(HdfsChecksum::parse("MD5-of-0MD5-of-512CRC32C", "no hex"));
  EXPECT_FALSE(HdfsChecksum::parse("MD5-of-0MD5-of-512CRC32", bytes)->is_crc32c);
}

TEST(HttpTest, NamesTheHostOfAUrl) { EXPECT_EQ(host_of("http://h:1/p?q"), "http://h:1"); }

}  // namespace
}  // namespace pegmove::blockstore
