// Signatures of S3 requests: AWS Signature Version 4.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace pegmove::blockstore {

struct S3Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token = {};
};

struct S3Request {
  std::string method;
  std::string host;  // of the Host header: with a port only if it is not the scheme's own
  std::string path;  // encoded, beginning with "/"
  std::map<std::string, std::string> query;         // decoded
  std::map<std::string, std::string> headers = {};  // besides host and x-amz-*, in lower case
  std::string payload_sha256;                       // 64 digits
};

// The Host header of "https://s3.example:9000": without the scheme's own port, which HTTP clients
// leave out, so that servers compute another signature with it.
std::string s3_host(std::string_view endpoint);

// "a=1&b=", encoded and sorted, as it is signed and sent.
std::string s3_query(const std::map<std::string, std::string>& query);

// The headers to send (host, x-amz-date, x-amz-content-sha256, authorization, the request's own) by
// lower-case name. `time`: "20130524T000000Z". None of them contains the secret.
std::map<std::string, std::string> s3_sign(const S3Request& request,
                                           const S3Credentials& credentials,
                                           const std::string& region, const std::string& time);

}  // namespace pegmove::blockstore
