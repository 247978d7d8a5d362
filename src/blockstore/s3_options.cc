#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/ini.h"
#include "base/small_file.h"
#include "blockstore/environment.h"
#include "blockstore/http.h"
#include "blockstore/path.h"
#include "blockstore/s3_store.h"

namespace pegmove::blockstore {
namespace {

constexpr size_t kMostFileBytes = 1 << 20;

// Messages name the file and the profile, never the text after a "=".
Result<S3Credentials> read_credentials(const std::string& path, const std::string& profile) {
  const auto text = TRY(base::read_secret(path, kMostFileBytes));
  auto values = TRY(base::parse_ini(text, {.skips_unknown_lines = true}))[profile];
  S3Credentials found{.access_key = values["aws_access_key_id"],
                      .secret_key = values["aws_secret_access_key"],
                      .session_token = values["aws_session_token"]};
  if (found.access_key.empty() || found.secret_key.empty())
    return fail(Code::kInvalidArgument,
                fmt::format("{} has no aws_access_key_id and aws_secret_access_key in [{}]", path,
                            profile));
  return found;
}

Result<void> take_word(S3Options& options, const std::string& word, std::string& file,
                       std::string& profile) {
  const auto equals = word.find('=');
  const auto key = word.substr(0, equals);
  const auto value = equals == std::string::npos ? "" : word.substr(equals + 1);
  if (key == "region" && !value.empty()) {
    options.region = value;
  } else if (key == "style" && (value == "path" || value == "host")) {
    options.virtual_host = value == "host";
  } else if (key == "credentials" && !value.empty()) {
    file = value;
  } else if (key == "profile" && !value.empty()) {
    profile = value;
  } else if (key == "ca" && !value.empty()) {
    options.ca_file = value;
  } else if (key == "timeout") {
    options.silence_timeout = TRY(parse_silence(value));
  } else {
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is unknown; after <endpoint> <bucket> [prefix] args may have region=, "
                    "style=path, style=host, credentials=FILE, profile=, ca= and timeout=",
                    equals == std::string::npos ? word : key));
  }
  return {};
}

}  // namespace

Result<S3Options> parse_s3_args(const std::string& name, const std::vector<std::string>& words) {
  if (words.size() < 2)
    return fail(Code::kInvalidArgument,
                "args must begin with the endpoint and the bucket: https://HOST BUCKET");
  S3Options options{.name = name, .endpoint = host_of(words[0]), .bucket = words[1]};
  if (!options.endpoint.starts_with("http://") && !options.endpoint.starts_with("https://"))
    return fail(Code::kInvalidArgument,
                fmt::format("the endpoint '{}' must begin with http:// or https://", words[0]));
  if (options.endpoint.contains('@'))
    return fail(Code::kInvalidArgument,
                "the endpoint must not contain keys; put them into the environment or into a file "
                "(credentials=)");
  if (!is_name(options.bucket) || options.bucket.contains('='))
    return fail(Code::kInvalidArgument,
                fmt::format("'{}' is not a valid name of a bucket", options.bucket));
  std::string file, profile = "default";
  size_t next = 2;
  if (words.size() > 2 && !words[2].contains('=')) options.prefix = TRY(check_path(words[next++]));
  for (; next < words.size(); ++next) TRY(take_word(options, words[next], file, profile));
  if (!file.empty()) {
    options.credentials = TRY(in_context(read_credentials(file, profile), "credentials"));
    return options;
  }
  options.credentials = {.access_key = environment("AWS_ACCESS_KEY_ID"),
                         .secret_key = environment("AWS_SECRET_ACCESS_KEY"),
                         .session_token = environment("AWS_SESSION_TOKEN")};
  if (options.credentials.access_key.empty() || options.credentials.secret_key.empty())
    return fail(Code::kInvalidArgument,
                "no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or add "
                "credentials=FILE to args");
  return options;
}

}  // namespace pegmove::blockstore
