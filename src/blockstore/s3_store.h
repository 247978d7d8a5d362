// s3_service: a bucket of S3, or of a store with its protocol. Pegasus has no such service: real
// servers cannot use one; the embedded cluster and pegmove's own verbs can.
#pragma once

#include "async/clock.h"
#include "blockstore/block_store.h"
#include "blockstore/s3_sign.h"

namespace pegmove::blockstore {

struct S3Options {
  std::string name;      // of the provider
  std::string endpoint;  // "https://s3.example:9000", without a path
  std::string bucket;
  std::string prefix = {};  // of all keys
  std::string region = "us-east-1";
  bool virtual_host = false;  // bucket.endpoint/key instead of endpoint/bucket/key
  S3Credentials credentials = {};
  std::string ca_file = {};
  std::chrono::seconds silence_timeout{30};  // this long without a byte: kTimeout
};

// `words`: <endpoint> <bucket> [prefix] [region=NAME] [style=path|host] [credentials=FILE]
// [profile=NAME] [ca=FILE] [timeout=30s]. The file has the form of AWS's tools: [profile],
// aws_access_key_id and aws_secret_access_key. Without a file the keys are in $AWS_ACCESS_KEY_ID,
// $AWS_SECRET_ACCESS_KEY and $AWS_SESSION_TOKEN. Errors: kInvalidArgument, saying what is wrong and
// what to write.
Result<S3Options> parse_s3_args(const std::string& name, const std::vector<std::string>& words);

// Files of more than 8 MiB are sent in parts of that size (multipart upload). S3 has no folders;
// here they are the parts of keys between slashes. The clock, which dates the signatures, must
// outlive the store.
std::unique_ptr<BlockStore> make_s3_store(S3Options options, const Clock& clock);

}  // namespace pegmove::blockstore
