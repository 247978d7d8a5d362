// An S3 server on loopback with one bucket in memory, which deviates from Amazon's as other servers
// do. It checks signatures: the Host header, the query and the body must be those that were signed.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace pegmove::testing {

struct FakeS3Options {
  enum class Lists {
    kWhole,         // pages with a token
    kNoToken,       // ListObjectsV2 without a token; the first version as it should be
    kFirstVersion,  // list-type=2 is ignored
    kCut,           // ListObjectsV2 without a token, and the marker is ignored
  };
  enum class Etags { kMd5, kOther, kNone };
  Lists lists = Lists::kWhole;
  Etags etags = Etags::kMd5;
  size_t page_keys = 1000;
  // Puts, and the ends of uploads in parts, are answered 200 with this code in an <Error>.
  std::string put_error = {};
  bool has_no_such_key = false;  // to DELETE
};

// Serves in its own threads until it is destroyed.
class FakeS3 {
 public:
  explicit FakeS3(FakeS3Options options = {});
  ~FakeS3();

  // As [block_service.NAME] has them; the keys are "key" and "secret".
  std::string args() const;
  // May be called at any time.
  std::map<std::string, std::string> objects() const;
  void set_object(const std::string& key, std::string bytes);
  // Requests so far, by method; also those that were refused.
  int requests(const std::string& method) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pegmove::testing
