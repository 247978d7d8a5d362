// The standard streams of the process. Printed results are results only when they have arrived.
#pragma once

#include "base/result.h"

namespace pegmove::base {

// Gives to each standard stream that the process was started without ("pegmove list >&-") a
// descriptor on which reads and writes fail: otherwise the next file that is opened, such as a
// database, would take its number and be written to. Call it first in main().
void open_missing_standard_streams();

// Hands everything that was printed so far, by stdio or std::cout, to the system. Reports each loss
// once. Errors: kIo: a part of what was printed since the last call could not be written, for
// instance because the disk is full or the reader has ended.
Result<void> flush_standard_output();

}  // namespace pegmove::base
