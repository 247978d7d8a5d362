#include "apps/near_word.h"

#include <algorithm>
#include <vector>

namespace pegmove::apps {
namespace {

constexpr size_t kLeastPrefix = 3;  // letters that say enough of a word to stand for it

std::string_view without_dashes(std::string_view word) {
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  return word;
}

// `typed` is the beginning of `known`, which counts as one mistake.
size_t distance(std::string_view typed, std::string_view known) {
  if (typed.size() >= kLeastPrefix && known.starts_with(typed)) return 1;
  return edit_distance(typed, known);
}

}  // namespace

size_t edit_distance(std::string_view from, std::string_view to) {
  // Rows of the table: distances of the beginnings of `from` to all beginnings of `to`.
  std::vector<size_t> before_last(to.size() + 1), last(to.size() + 1), row(to.size() + 1);
  for (size_t j = 0; j <= to.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= from.size(); ++i) {
    before_last.swap(last);
    last.swap(row);
    row[0] = i;
    for (size_t j = 1; j <= to.size(); ++j) {
      const bool is_same = from[i - 1] == to[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (is_same ? 0 : 1)});
      if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[to.size()];
}

std::string near_word(std::string_view typed, std::span<const std::string> known) {
  const auto letters = without_dashes(typed);
  std::string nearest;
  size_t least = std::max<size_t>(1, letters.size() / 3) + 1;
  for (const auto& word : known)
    if (const auto mistakes = distance(letters, without_dashes(word)); mistakes < least) {
      least = mistakes;
      nearest = word;
    }
  return nearest;
}

}  // namespace pegmove::apps
