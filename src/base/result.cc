#include "base/result.h"

namespace pegmove::base {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return "invalid argument";
    case Code::kNotFound: return "not found";
    case Code::kAlreadyExists: return "already exists";
    case Code::kUnreachable: return "unreachable";
    case Code::kTimeout: return "timeout";
    case Code::kBusy: return "busy";
    case Code::kRefused: return "refused";
    case Code::kUnauthenticated: return "unauthenticated";
    case Code::kCorrupt: return "corrupt";
    case Code::kIo: return "i/o error";
    case Code::kProtocol: return "protocol error";
    case Code::kTooLarge: return "too large";
    case Code::kUnsupported: return "unsupported";
    case Code::kInterrupted: return "interrupted";
    case Code::kInternal: return "internal error";
  }
  return "unknown";
}

std::string Error::to_string() const {
  std::string text;
  for (auto doing = context_.rbegin(); doing != context_.rend(); ++doing) text += *doing + ": ";
  return text + message_;
}

}  // namespace pegmove::base
