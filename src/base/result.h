// Errors are values: Result<T> is either a T or an Error, and nothing in this project reports a
// failure in any other way. Exceptions mean a broken invariant or lack of memory.
//
// The two macros at the end leave the enclosing function with the error of an expression:
//   auto table = TRY(parse_table(text));               // in a function that returns a Result
//   auto reply = CO_TRY(co_await channel.call(...));   // in a coroutine that returns a Task
// They neither log nor print; the code that handles an error logs it, once.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pegmove::base {

// The kind of failure, as far as callers act on it. The text has the rest.
enum class Code {
  kInvalidArgument,  // the input is wrong and will stay wrong
  kNotFound,         // the named thing does not exist
  kAlreadyExists,    // the named thing exists and should not
  kUnreachable,      // no connection, or it broke
  kTimeout,          // no answer by the deadline
  kBusy,             // refused for now; the same request may pass later
  kRefused,          // refused by a rule of the other side (access, limits, state)
  kUnauthenticated,  // the other side demands an authentication that was not given
  kCorrupt,          // bytes that contradict their format, checksum or neighbours
  kIo,               // the operating system refused (disk full, permission, ...)
  kProtocol,         // the other side violates the protocol
  kTooLarge,         // more bytes at once than this program accepts
  kUnsupported,      // understood, but not available here
  kInterrupted,      // stopped on request
  kInternal,         // a defect of this program
};

std::string_view to_string(Code code);

// An Error has a code, a message that names the thing, optionally the error number of the wire
// protocol that it came from (see wire/error_code.h), and a chain of context: what was being done,
// from the innermost to the outermost.
class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  std::optional<int> wire_code() const { return wire_code_; }

  Error&& with_wire_code(int number) && {
    wire_code_ = number;
    return std::move(*this);
  }
  // Adds what was being done, as text before a colon ("opening table t").
  Error&& with_context(std::string doing) && {
    context_.push_back(std::move(doing));
    return std::move(*this);
  }

  // The whole chain, outermost context first: "copying table t: opening target: no such table".
  std::string to_string() const;

 private:
  Code code_;
  std::optional<int> wire_code_;
  std::string message_;
  std::vector<std::string> context_;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string message) {
  return std::unexpected(Error(code, std::move(message)));
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// Adds context to a failed result and passes a good one through.
template <typename T>
Result<T> in_context(Result<T> result, std::string_view doing) {
  if (!result) return fail(std::move(result.error()).with_context(std::string(doing)));
  return result;
}

}  // namespace pegmove::base

namespace pegmove {
using base::Code;
using base::Error;
using base::fail;
using base::in_context;
using base::Result;
}  // namespace pegmove

#define PEGMOVE_TRY_WITH(leave, ...)                            \
  ({                                                            \
    auto&& pegmove_result = (__VA_ARGS__);                      \
    if (!pegmove_result) [[unlikely]]                           \
      leave ::pegmove::fail(std::move(pegmove_result).error()); \
    *std::move(pegmove_result);                                 \
  })
#define TRY(...) PEGMOVE_TRY_WITH(return, __VA_ARGS__)
#define CO_TRY(...) PEGMOVE_TRY_WITH(co_return, __VA_ARGS__)
