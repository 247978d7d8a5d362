#include "blockstore/provider.h"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "blockstore/hdfs_store.h"
#include "blockstore/local_store.h"
#include "blockstore/s3_store.h"

namespace pegmove::blockstore {
namespace {

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Result<std::unique_ptr<BlockStore>> open(const Provider& provider, const Clock& clock) {
  const auto words = words_of(provider.args);
  if (provider.type == "local_service") {
    if (words.size() != 1 || !words[0].starts_with('/'))
      return fail(Code::kInvalidArgument,
                  fmt::format("args must be one absolute path, not '{}'", provider.args));
    return make_local_store(provider.name, words[0]);
  }
  if (provider.type == "hdfs_service") {
    const char* conf_dir = std::getenv("HADOOP_CONF_DIR");
    return make_hdfs_store(TRY(parse_hdfs_args(provider.name, words, conf_dir ? conf_dir : "")));
  }
  if (provider.type == "s3_service")
    return make_s3_store(TRY(parse_s3_args(provider.name, words)), clock);
  return fail(
      Code::kInvalidArgument,
      fmt::format("type '{}' is unknown; the types are local_service, hdfs_service and s3_service",
                  provider.type));
}

}  // namespace

bool has_root(const Provider& provider) {
  const auto words = words_of(provider.args);
  return provider.type == "hdfs_service" && words.size() > 1 && words[1].starts_with('/') &&
         words[1] != "/";
}

Result<std::unique_ptr<BlockStore>> open_store(const Provider& provider, const Clock& clock) {
  return in_context(open(provider, clock), fmt::format("[block_service.{}]", provider.name));
}

}  // namespace pegmove::blockstore
