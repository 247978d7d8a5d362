#include "shell/row_statistics.h"

#include <algorithm>
#include <tuple>

namespace pegmove::shell {
namespace {

constexpr size_t kRuleColumns = 71;

// The title in the middle of a rule; what is left over goes to its left.
std::string heading(const std::string& title) {
  auto rest = kRuleColumns - title.size();
  return std::string(rest - rest / 2, '=') + title + std::string(rest / 2, '=');
}

}  // namespace

bool SizedRow::operator<(const SizedRow& other) const {
  return std::tie(other.size, hash_key, sort_key) < std::tie(size, other.hash_key, other.sort_key);
}

void TopRows::add(std::string_view hash_key, std::string_view sort_key, uint64_t size) {
  if (most_ == 0) return;
  bool is_full = heap_.size() >= most_;
  if (is_full && size < heap_.front().size) return;  // the usual case, without a copy
  SizedRow row{std::string(hash_key), std::string(sort_key), size};
  if (is_full) {
    if (!(row < heap_.front())) return;
    std::ranges::pop_heap(heap_, std::less<>());
    heap_.pop_back();
  }
  heap_.push_back(std::move(row));
  std::ranges::push_heap(heap_, std::less<>());
}

std::vector<SizedRow> TopRows::rows() const {
  auto rows = heap_;
  std::ranges::sort(rows, std::less<>());
  return rows;
}

void RowStatistics::add(std::string_view hash_key, std::string_view sort_key,
                        std::string_view value) {
  auto size = hash_key.size() + sort_key.size() + value.size();
  hash_key_sizes_.add(hash_key.size());
  sort_key_sizes_.add(sort_key.size());
  value_sizes_.add(value.size());
  row_sizes_.add(size);
  top_.add(hash_key, sort_key, size);
}

std::string RowStatistics::to_text() const {
  std::string text;
  auto append = [&](const char* title, const Histogram& sizes) {
    text += "\n" + heading(title) + "\n" + sizes.to_text() + std::string(kRuleColumns, '=');
  };
  append("[hash_key_size]", hash_key_sizes_);
  append("[sort_key_size]", sort_key_sizes_);
  append("[value_size]", value_sizes_);
  append("[row_size]", row_sizes_);
  return text + "\n\n";
}

}  // namespace pegmove::shell
