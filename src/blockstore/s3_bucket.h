// Signed requests to one bucket of S3, and its lists of keys. For s3_store.cc alone.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "blockstore/http.h"
#include "blockstore/s3_store.h"

namespace pegmove::blockstore {

// The error that an answer means: its status, and the code and message of its <Error>.
Error s3_error(const HttpAnswer& answer);

// Every call blocks. Safe from any thread.
class S3Bucket {
 public:
  static constexpr size_t kMostReplyBytes = 16 << 20;
  using Query = std::map<std::string, std::string>;
  using Headers = std::map<std::string, std::string>;

  // The clock dates the signatures and must outlive the bucket.
  S3Bucket(S3Options options, const Clock& clock);

  const S3Options& options() const { return options_; }
  void stop() { http_.stop(); }

  // Key "": the bucket. Any status is an answer. Errors: of HttpClient::send().
  Result<HttpAnswer> send(const std::string& method, const std::string& key, const Query& query,
                          std::string_view body = {}, const Headers& headers = {},
                          size_t most_reply_bytes = kMostReplyBytes);
  // The same, but only success is an answer: no status from 300 on, and no <Error>, which may also
  // come with status 200 when something fails after the status was sent (API reference of S3,
  // "CompleteMultipartUpload"). Not for the contents of files. Errors: also s3_error().
  Result<HttpAnswer> ask(const std::string& method, const std::string& key, const Query& query,
                         std::string_view body = {}, const Headers& headers = {});

  // The keys that begin with `prefix`, without it, by name; those with a delimiter after it as
  // folders. With `most`, it may end when there are that many. Servers that know only the first
  // version of the list are asked for further pages with its marker (API reference of S3,
  // "ListObjects" and "ListObjectsV2"). Errors: also kProtocol, when the server lists only some of
  // the keys and does not say how to go on.
  Result<std::vector<Entry>> list(const std::string& prefix, const std::string& delimiter,
                                  size_t most = 0);

 private:
  S3Options options_;
  std::string host_;  // of the requests' URLs and of their Host header
  const Clock& clock_;
  HttpClient http_;
};

}  // namespace pegmove::blockstore
