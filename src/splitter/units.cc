#include "splitter/units.h"

#include <algorithm>
#include <numeric>

namespace pegmove::splitter {
namespace {

std::vector<int32_t> congruent(int32_t which, int32_t step, int32_t count) {
  std::vector<int32_t> found;
  for (int32_t each = which; each < count; each += step) found.push_back(each);
  return found;
}

}  // namespace

int32_t Shape::classes() const { return std::gcd(sources, targets); }

std::vector<int32_t> Shape::sources_of(int32_t which) const {
  return congruent(which, classes(), sources);
}

std::vector<int32_t> Shape::targets_of(int32_t which) const {
  return congruent(which, classes(), targets);
}

std::vector<Unit> cut_class(int32_t which, std::vector<TableFile> files, int64_t pieces) {
  std::ranges::sort(files, {}, &TableFile::smallest);
  int64_t all = 0;
  for (const auto& file : files) all += file.bytes;
  std::vector<Unit> units{{.which = which, .from = "", .to = "", .rows = 0}};
  int64_t before = 0;  // bytes of the files so far
  std::string last;    // where the one before begins
  for (const auto& file : files) {
    const auto wanted = all / pieces * int64_t(units.size());
    const bool may_cut = int64_t(units.size()) < pieces && before > 0 && file.smallest > last;
    if (before >= wanted && may_cut) {
      units.back().to = file.smallest;
      units.push_back({.which = which, .from = file.smallest, .to = "", .rows = 0});
    }
    units.back().rows += file.rows;
    before += file.bytes;
    last = file.smallest;
  }
  return units;
}

}  // namespace pegmove::splitter
