#include "migration/journal_fields.h"

namespace pegmove::migration {
namespace {

constexpr int64_t kMostMs = INT64_MAX / 1'000'000;  // fits the clock's nanoseconds

}  // namespace

Result<int64_t> read_integer(const nlohmann::json& in, const char* name, int64_t least,
                             int64_t most) {
  auto found = in.find(name);
  // Compared as what it is: a large one is unsigned and would turn negative.
  if (found != in.end() && found->is_number_integer() &&
      !(found->is_number_unsigned() && found->get<uint64_t>() > uint64_t(most)) &&
      found->get<int64_t>() >= least && found->get<int64_t>() <= most)
    return found->get<int64_t>();
  return fail(Code::kCorrupt, "'" + std::string(name) + "' must be a whole number from " +
                                  std::to_string(least) + " to " + std::to_string(most));
}

Result<async::milliseconds> read_ms(const nlohmann::json& in, const char* name) {
  return async::milliseconds(TRY(read_integer(in, name, 0, kMostMs)));
}

Result<std::string> read_text(const nlohmann::json& in, const char* name) {
  auto found = in.find(name);
  if (found != in.end() && found->is_string()) return found->get<std::string>();
  return fail(Code::kCorrupt, "'" + std::string(name) + "' must be a string");
}

Result<std::vector<std::string>> read_texts(const nlohmann::json& in, const char* name) {
  const auto wrong = [name] {
    return fail(Code::kCorrupt, "'" + std::string(name) + "' must be a list of strings");
  };
  const auto found = in.find(name);
  if (found == in.end() || !found->is_array()) return wrong();
  std::vector<std::string> texts;
  for (const auto& each : *found) {
    if (!each.is_string()) return wrong();
    texts.push_back(each.get<std::string>());
  }
  return texts;
}

Result<bool> read_flag(const nlohmann::json& in, const char* name) {
  auto found = in.find(name);
  if (found != in.end() && found->is_boolean()) return found->get<bool>();
  return fail(Code::kCorrupt, "'" + std::string(name) + "' must be true or false");
}

}  // namespace pegmove::migration
