#include "blockstore/s3_sign.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/bytes.h"
#include "base/percent.h"
#include "base/units.h"
#include "blockstore/digest.h"

namespace pegmove::blockstore {

std::string s3_host(std::string_view endpoint) {
  const int64_t usual = endpoint.starts_with("https://") ? 443 : 80;
  const auto host = endpoint.substr(endpoint.find("://") + 3);
  const auto colon = host.rfind(':');
  // The last colon of "[::1]" is before no port.
  if (colon == std::string_view::npos || host.substr(colon).contains(']')) return std::string(host);
  const auto port = host.substr(colon + 1);
  const bool is_usual = port.empty() || base::parse_integer(port, usual, usual).has_value();
  return std::string(is_usual ? host.substr(0, colon) : host);
}

std::string s3_query(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query)
    text +=
        (text.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
  return text;
}

std::map<std::string, std::string> s3_sign(const S3Request& request,
                                           const S3Credentials& credentials,
                                           const std::string& region, const std::string& time) {
  auto headers = request.headers;
  headers["host"] = request.host;
  headers["x-amz-date"] = time;
  headers["x-amz-content-sha256"] = request.payload_sha256;
  if (!credentials.session_token.empty())
    headers["x-amz-security-token"] = credentials.session_token;

  std::string lines, names;
  for (const auto& [name, value] : headers) {
    lines += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }
  const auto canonical = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                                     s3_query(request.query), lines, names, request.payload_sha256);
  const auto date = time.substr(0, 8);
  const auto scope = date + "/" + region + "/s3/aws4_request";
  const auto to_sign = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + sha256_hex(canonical);
  auto key = hmac_sha256("AWS4" + credentials.secret_key, date);
  for (const auto& part : {region, std::string("s3"), std::string("aws4_request")})
    key = hmac_sha256(key, part);
  headers["authorization"] = "AWS4-HMAC-SHA256 Credential=" + credentials.access_key + "/" + scope +
                             ",SignedHeaders=" + names +
                             ",Signature=" + base::to_hex(hmac_sha256(key, to_sign));
  return headers;
}

}  // namespace pegmove::blockstore
