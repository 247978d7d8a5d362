#include "wire/crc32c.h"

#include "base/crc.h"

namespace pegmove::wire {
namespace {

constexpr auto kTables = base::make_crc_tables<uint32_t>(0x82F63B78);

}  // namespace

uint32_t crc32c(std::string_view bytes) { return base::crc(kTables, bytes); }

}  // namespace pegmove::wire
