// The MD5 sums of a checkpoint's files.
#pragma once

#include <functional>
#include <string>

#include "async/pool.h"

namespace pegmove::server::replica {

// A mebibyte at a time on the pool, so that other work of the pool is done in between. `is_stopped`
// is asked on the caller's executor before each: true ends it. Errors: kInterrupted: it was
// stopped; kIo, kNotFound.
Task<std::string> md5_of_file(async::Pool& pool, std::string path,
                              std::function<bool()> is_stopped);

}  // namespace pegmove::server::replica
