// How the meta server's books are read from their JSON files.
#pragma once

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "base/small_file.h"

namespace pegmove::server::meta {

inline constexpr size_t kMostBookBytes = 256 << 20;

// The value whose name in `names` the text is. Throws a JSON exception for other names.
template <typename Enum, size_t N>
Enum read_name(const nlohmann::json& json, const std::string_view (&names)[N]) {
  const auto& text = json.get_ref<const std::string&>();
  const auto found = std::ranges::find(names, std::string_view(text));
  if (found == std::end(names))
    throw nlohmann::json::other_error::create(599, "unknown name " + text, &json);
  return Enum(found - std::begin(names));
}

// What the file holds, or an empty state where there is none; what a killed save has left beside it
// is removed. Errors: kIo; kCorrupt, naming the file, which is left as it is.
template <typename State>
Result<State> read_book(const std::string& path, Result<State> (*decode)(std::string_view)) {
  State state;
  if (const auto text = TRY(base::read_file(path, kMostBookBytes))) {
    auto decoded = decode(*text);
    if (!decoded)
      return fail(Code::kCorrupt, path + " cannot be used (" + decoded.error().message() +
                                      "): it is left as it is; put a good copy of it in its "
                                      "place, or move it away");
    state = std::move(*decoded);
  }
  TRY(base::remove_leftovers(path));
  return state;
}

}  // namespace pegmove::server::meta
