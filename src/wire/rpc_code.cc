#include "wire/rpc_code.h"

#include <algorithm>
#include <array>

namespace pegmove::wire {
namespace {

constexpr std::string_view kNames[] = {"",
#define PEGMOVE_NAME(identifier, name) name,
                                       PEGMOVE_RPC_CODES(PEGMOVE_NAME)
#undef PEGMOVE_NAME
};
constexpr size_t kCount = std::size(kNames);

// Codes sorted by name, so that each request's name is looked up in a handful of comparisons.
constexpr std::array<uint8_t, kCount> sorted_codes() {
  std::array<uint8_t, kCount> codes{};
  for (size_t i = 0; i < kCount; ++i) codes[i] = uint8_t(i);
  std::ranges::sort(codes, {}, [](uint8_t code) { return kNames[code]; });
  return codes;
}
constexpr auto kSorted = sorted_codes();

}  // namespace

std::string_view rpc_name(RpcCode code) { return kNames[size_t(code)]; }

RpcCode rpc_code_from_name(std::string_view name) {
  auto found =
      std::ranges::lower_bound(kSorted, name, {}, [](uint8_t code) { return kNames[code]; });
  return found != kSorted.end() && kNames[*found] == name ? RpcCode(*found) : RpcCode::kUnknown;
}

bool is_data_code(RpcCode code) { return code >= RpcCode::kPut && code <= RpcCode::kClearScanner; }

}  // namespace pegmove::wire
