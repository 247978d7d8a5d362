// The text of spark/pegmove_split.py.
#pragma once

#include <string_view>

namespace pegmove::spark {

std::string_view driver_program();

}  // namespace pegmove::spark
