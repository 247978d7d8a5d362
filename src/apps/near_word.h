// "Did you mean": what a mistyped verb or option was most likely meant to be.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace pegmove::apps {

// How many letters must be added, left out, replaced, or exchanged with their neighbour to make one
// word of the other (optimal string alignment).
size_t edit_distance(std::string_view from, std::string_view to);

// The first of the nearest words: of those that begin with `typed`, or are at most a third of its
// letters (at least one) away. Empty: none is.
std::string near_word(std::string_view typed, std::span<const std::string> known);

}  // namespace pegmove::apps
