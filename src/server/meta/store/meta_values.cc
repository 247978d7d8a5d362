#include "server/meta/store/meta_values.h"

#include <limits>

#include "base/units.h"

namespace pegmove::server::meta {
namespace {

// Paths below a path sort between these two.
std::string first_below(std::string_view path) { return std::string(path) + '/'; }
std::string behind_below(std::string_view path) { return std::string(path) + char('/' + 1); }

}  // namespace

void MetaBatch::apply_to(MetaValues& values) const {
  for (const auto& [path, value] : changes_) {
    if (value) {
      values.insert_or_assign(path, *value);
      continue;
    }
    values.erase(path);
    values.erase(values.lower_bound(first_below(path)), values.lower_bound(behind_below(path)));
  }
}

void remove_table(MetaBatch& batch, int32_t app_id) {
  for (const auto* root : {"/apps", "/bulk_load", "/restore", "/table_backup"})
    batch.remove(path_of(root, app_id));
}

std::map<std::string, std::string_view> values_below(const MetaValues& values,
                                                     std::string_view path) {
  const auto below = first_below(path);
  std::map<std::string, std::string_view> found;
  const auto end = values.lower_bound(behind_below(path));
  for (auto each = values.lower_bound(below); each != end; ++each)
    found.emplace(each->first.substr(below.size()), each->second);
  return found;
}

std::map<std::string, std::string_view> children_of(const MetaValues& values,
                                                    std::string_view path) {
  auto children = values_below(values, path);
  std::erase_if(children, [](const auto& each) { return each.first.contains('/'); });
  return children;
}

Result<std::map<int64_t, std::string_view>> numbered_children_of(const MetaValues& values,
                                                                 std::string_view path) {
  std::map<int64_t, std::string_view> numbered;
  for (const auto& [name, value] : children_of(values, path)) {
    const auto number = base::parse_integer(name, 0, std::numeric_limits<int64_t>::max());
    if (!number || std::to_string(*number) != name)
      return fail(Code::kCorrupt, path_of(path, name) + ": its last name is not a number");
    numbered.emplace(*number, value);
  }
  return numbered;
}

}  // namespace pegmove::server::meta
