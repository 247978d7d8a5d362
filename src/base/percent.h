// Percent-encoding of URLs (RFC 3986).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// Everything but letters, digits and "-_.~" as %XX; slashes too unless they are kept.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

// Each %XX as its byte; the rest as it is, "+" too. Errors: kInvalidArgument for a "%" without two
// hexadecimal digits behind it, with the words of Pegasus's HTTP server.
Result<std::string> percent_decode(std::string_view text);

}  // namespace pegmove::base
