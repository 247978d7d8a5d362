// Folders in block stores, as given in options.
#pragma once

#include <string>

#include "base/result.h"

namespace pegmove::apps {

struct StorePath {
  std::string store;  // [block_service.NAME]
  std::string path;   // in the form that BlockStore takes
};

// "NAME:/path". Errors: kInvalidArgument, naming the option.
Result<StorePath> parse_store_path(const char* option, const std::string& typed);

}  // namespace pegmove::apps
