// Percent-encoding of URLs (RFC 3986).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace pegmove::base {

// Everything but letters, digits and "-_.~" as %XX; slashes too, unless keep_slashes.
std::string percent_encode(std::string_view text, bool keep_slashes = false);

// Each %XX as its byte; the rest as it is, "+" too. Errors: kInvalidArgument for a "%" that is not
// followed by two hexadecimal digits, with the text of Pegasus's HTTP server.
Result<std::string> percent_decode(std::string_view text);

}  // namespace pegmove::base
