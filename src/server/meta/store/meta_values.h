// The tree of values that a meta server keeps: in Pegasus nodes of ZooKeeper, here a MetaStore.
// Paths are Pegasus's, relative to its cluster root; a value is a string. Paths that Pegasus does
// not have are marked "ours".
//
//   /apps                               state of all tables (ours)
//   /apps/<app id>                      a table, dropped ones too
//   /apps/<app id>/<partition>          where the partition is
//   /apps/<app id>/duplication/<id>              a duplication of the table
//   /apps/<app id>/duplication/<id>/<partition>  confirmed decree of the partition, a number
//   /backup/<policy>                    a backup policy
//   /backup/<policy>/<backup id>        one of its rounds
//   /bulk_load/<app id>                 the last bulk load of a table
//   /bulk_load/<app id>/<partition>     state of the partition
//   /restore/<app id>                   the restore of a table (ours)
//   /restore/<app id>/<partition>       state of the partition
//   /table_backup/<app id>/<backup id>  the backup of one table (ours)
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace pegmove::server::meta {

using MetaValues = std::map<std::string, std::string, std::less<>>;  // by path

struct MetaChange {
  std::string path;
  std::optional<std::string> value;  // nullopt: the value and all below its path are removed

  bool operator==(const MetaChange&) const = default;
};

// Changes that are applied together or not at all, in this order.
class MetaBatch {
 public:
  void put(std::string path, std::string value) {
    changes_.push_back({std::move(path), std::move(value)});
  }
  void remove(std::string path) { changes_.push_back({std::move(path), std::nullopt}); }
  void append(MetaBatch other) {
    changes_.insert(changes_.end(), std::move_iterator(other.changes_.begin()),
                    std::move_iterator(other.changes_.end()));
  }
  bool empty() const { return changes_.empty(); }
  const std::vector<MetaChange>& changes() const { return changes_; }
  void apply_to(MetaValues& values) const;

 private:
  std::vector<MetaChange> changes_;
};

// "/apps/3/0"
template <typename... Names>
std::string path_of(std::string_view root, const Names&... names) {
  std::string path(root);
  const auto add = [&path](const auto& name) {
    path += '/';
    if constexpr (std::is_integral_v<std::decay_t<decltype(name)>>)
      path += std::to_string(name);
    else
      path += name;
  };
  (add(names), ...);
  return path;
}

// Removes all values of a table.
void remove_table(MetaBatch& batch, int32_t app_id);

// The values below a path, by the rest of their paths.
std::map<std::string, std::string_view> values_below(const MetaValues& values,
                                                     std::string_view path);
// Those directly below it.
std::map<std::string, std::string_view> children_of(const MetaValues& values,
                                                    std::string_view path);
// The same where the names are numbers. Errors: kCorrupt, naming a path whose name is not a number.
Result<std::map<int64_t, std::string_view>> numbered_children_of(const MetaValues& values,
                                                                 std::string_view path);

}  // namespace pegmove::server::meta
