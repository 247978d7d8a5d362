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

constexpr size_t kMostCutKey = 64;  // bytes
constexpr int64_t kPrecision = 20;  // a cut may be off by one such part of a piece

// The greatest byte with which a key that begins with `prefix` has at most `wanted` bytes before
// it.
Result<char> last_byte(const ClassSize& size, const std::string& prefix, int64_t wanted) {
  int low = 0, high = 255;
  while (low < high) {
    const int middle = (low + high + 1) / 2;
    if (TRY(size.bytes_before(prefix + char(middle))) <= wanted)
      low = middle;
    else
      high = middle - 1;
  }
  return char(low);
}

// A short key with about `wanted` bytes before it, and not more.
Result<std::string> key_at(const ClassSize& size, int64_t wanted, int64_t off_by) {
  std::string key;
  while (key.size() < kMostCutKey) {
    key += TRY(last_byte(size, key, wanted));
    if (wanted - TRY(size.bytes_before(key)) <= off_by) break;
  }
  return key;
}

int64_t rows_of(const ClassSize& size, int64_t bytes) {
  return size.bytes <= 0 ? 0 : int64_t(double(size.rows) * double(bytes) / double(size.bytes));
}

}  // namespace

int32_t Shape::residue_classes() const { return std::gcd(sources, targets); }

std::vector<int32_t> Shape::sources_of(int32_t which) const {
  return congruent(which, residue_classes(), sources);
}

std::vector<int32_t> Shape::targets_of(int32_t which) const {
  return congruent(which, residue_classes(), targets);
}

Result<std::vector<Unit>> cut_residue_class(int32_t which, const ClassSize& size, int64_t pieces) {
  std::vector<Unit> units{{.which = which, .from = "", .to = "", .rows = size.rows}};
  const auto piece = size.bytes / std::max<int64_t>(1, pieces);
  int64_t before = 0;  // of the last unit
  for (int64_t i = 1; i < pieces; ++i) {
    const auto cut = TRY(key_at(size, i * piece, piece / kPrecision));
    if (cut <= units.back().from) continue;
    const auto here = TRY(size.bytes_before(cut));
    if (here <= before || here >= size.bytes) continue;
    units.back().to = cut;
    units.back().rows = rows_of(size, here - before);
    units.push_back(
        {.which = which, .from = cut, .to = "", .rows = rows_of(size, size.bytes - here)});
    before = here;
  }
  return units;
}

}  // namespace pegmove::splitter
