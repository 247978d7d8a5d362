// The operations of the case files through the client library.
#pragma once

#include "arguments.h"
#include "session.h"

namespace pegmove::conformance {

// nullopt: the client library cannot say it, or would not pass on what is expected. Takes the steps
// of raw_operations.h; fields that the library does not hand out are missing in the answer.
// Errors: kInvalidArgument for a step that makes no sense; no answer.
Result<std::optional<Answer>> carry_out_with_client(const Session& session, const Step& step,
                                                    Arguments& arguments);

}  // namespace pegmove::conformance
