#include "compare/difference.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <array>

#include "base/bytes.h"
#include "record/key.h"

namespace pegmove::compare {

std::string_view to_string(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing: return "missing";
    case DifferenceKind::kExtra: return "extra";
    case DifferenceKind::kValue: return "value";
    case DifferenceKind::kExpiry: return "expiry";
  }
  return "unknown";
}

Result<DifferenceKind> parse_difference_kind(std::string_view text) {
  using enum DifferenceKind;
  for (auto kind : {kMissing, kExtra, kValue, kExpiry})
    if (to_string(kind) == text) return kind;
  return fail(Code::kInvalidArgument,
              fmt::format("'{}' is not a kind of difference: give missing, extra, value or expiry",
                          base::printable(text)));
}

Difference Difference::of(DifferenceKind kind, std::string_view raw_key) {
  auto parts = record::split_key(raw_key).value_or(record::KeyParts{raw_key, {}});
  return {kind, std::string(parts.hash_key), std::string(parts.sort_key)};
}

void RowSum::add(const wire::KeyValueView& row) {
  uint32_t sizes[3] = {uint32_t(row.key.size()), uint32_t(row.value.size()), row.expire_ts};
  auto seed = XXH3_64bits(sizes, sizeof sizes);
  auto key = XXH3_128bits_withSeed(row.key.data(), row.key.size(), seed);
  auto whole = XXH3_128bits_withSeed(row.value.data(), row.value.size(), key.low64 ^ key.high64);
  *this += RowSum{.low = whole.low64, .high = whole.high64};
}

RowSum& RowSum::operator+=(const RowSum& other) {
  auto sum = low + other.low;
  high += other.high + (sum < low ? 1 : 0);
  low = sum;
  return *this;
}

std::string RowSum::to_hex() const {
  std::string bytes;
  base::append_big_endian(bytes, high);
  base::append_big_endian(bytes, low);
  return base::to_hex(bytes);
}

Result<RowSum> RowSum::from_hex(std::string_view text) {
  auto bytes = TRY(base::from_hex(text));
  if (bytes.size() != 16)
    return fail(Code::kInvalidArgument, "a sum of rows must have 32 hexadecimal digits");
  return RowSum{.low = base::load_big_endian<uint64_t>(bytes.data() + 8),
                .high = base::load_big_endian<uint64_t>(bytes.data())};
}

void CompareCounts::count(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::kMissing: ++missing; break;
    case DifferenceKind::kExtra: ++extra; break;
    case DifferenceKind::kValue: ++value_differs; break;
    case DifferenceKind::kExpiry: ++expiry_differs; break;
  }
}

CompareCounts& CompareCounts::operator+=(const CompareCounts& other) {
  for (auto field :
       {&CompareCounts::source_rows, &CompareCounts::target_rows, &CompareCounts::source_bytes,
        &CompareCounts::missing, &CompareCounts::extra, &CompareCounts::value_differs,
        &CompareCounts::expiry_differs, &CompareCounts::suspects, &CompareCounts::not_settled,
        &CompareCounts::slices, &CompareCounts::rows_skipped})
    this->*field += other.*field;
  source_sum += other.source_sum;
  target_sum += other.target_sum;
  source_foreign += other.source_foreign;
  target_foreign += other.target_foreign;
  return *this;
}

}  // namespace pegmove::compare
