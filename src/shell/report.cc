#include "shell/report.h"

#include <fmt/format.h>

#include <fstream>

#include "rows/foreign_rows_text.h"
#include "shell/session.h"
#include "shell/words.h"
#include "wire/error_code.h"

namespace pegmove::shell {
namespace {

using wire::ErrorCode;

std::string_view client_words(ErrorCode code) {
  switch (code) {
    case ErrorCode::kTimeout: return "timeout";
    case ErrorCode::kObjectNotFound: return "object not found";
    case ErrorCode::kNetworkFailure: return "network failure";
    case ErrorCode::kHandlerNotFound: return "handler not found";
    case ErrorCode::kOperationDisabled: return "operation disabled";
    case ErrorCode::kNotEnoughMember: return "no enough member";
    case ErrorCode::kAppNotExist: return "app not exist";
    case ErrorCode::kAppExist: return "app already exist";
    case ErrorCode::kInvalidState: return "server changed";
    case ErrorCode::kBusy: return "app busy";
    case ErrorCode::kSplitting: return "app splitting";
    case ErrorCode::kDiskInsufficient: return "disk insufficient";
    default: return {};
  }
}

// The code that a real shell would have seen.
ErrorCode wire_code_of(const Error& error) {
  if (error.wire_code()) return ErrorCode(*error.wire_code());
  switch (error.code()) {
    case Code::kTimeout: return ErrorCode::kTimeout;
    case Code::kUnreachable: return ErrorCode::kNetworkFailure;
    case Code::kNotFound: return ErrorCode::kAppNotExist;
    case Code::kAlreadyExists: return ErrorCode::kAppExist;
    case Code::kInvalidArgument: return ErrorCode::kInvalidParameters;
    case Code::kUnauthenticated: return ErrorCode::kUnauthenticated;
    default: return ErrorCode::kUnknown;
  }
}

Outcome print(Session& session, const std::string& text, const std::string& file) {
  if (file.empty()) {
    session.out() << text;
    return Outcome::kDone;
  }
  std::ofstream to(file, std::ios::binary);
  to << text;
  to.close();
  if (to) return Outcome::kDone;
  session.err() << "ERROR: cannot write file " << file << "\n";
  return Outcome::kFailed;
}

}  // namespace

std::string data_error_text(const Error& error) {
  auto words = client_words(wire_code_of(error));
  if (words.empty()) return error.to_string();
  return fmt::format("{} ({})", words, error.to_string());
}

std::string meta_error_text(const Error& error) {
  std::string text(wire::error_name(wire_code_of(error)));
  auto hint = error.message().find(" [hint:\"");
  if (hint != std::string::npos) return text + error.message().substr(hint);
  return fmt::format("{} ({})", text, error.to_string());
}

std::string hint_of(const Error& error) {
  constexpr std::string_view kBegin = " [hint:\"", kEnd = "\"]";
  const auto& message = error.message();
  auto begin = message.find(kBegin);
  if (begin == std::string::npos || !message.ends_with(kEnd)) return "";
  begin += kBegin.size();
  return message.substr(begin, message.size() - kEnd.size() - begin);
}

std::string code_text(const Error& error) {
  if (!error.wire_code()) return meta_error_text(error);
  return std::string(wire::error_name(ErrorCode(*error.wire_code())));
}

std::string meta_error_text(const Error& error, std::string_view between) {
  const auto hint = hint_of(error);
  if (hint.empty()) return meta_error_text(error);
  return std::string(wire::error_name(wire_code_of(error))) + std::string(between) + hint;
}

bool metrics_failed(Session& session, const Error& error) {
  if (!error.message().starts_with("ERROR: ")) return false;
  session.err() << error.message() << "\n";
  return true;
}

Result<async::milliseconds> sample_interval(const Options& options) {
  constexpr async::milliseconds kDefault{1000};
  if (!options.has('i')) return kDefault;
  auto number = parse_int32(options.text('i'));
  if (!number)
    return fail(Code::kInvalidArgument,
                fmt::format("parse sample_interval_ms({}) failed", options.text('i')));
  if (*number <= 0) return fail(Code::kInvalidArgument, "sample_interval_ms should be > 0");
  return async::milliseconds(*number);
}

std::string total_name(size_t rows) { return fmt::format("(total:{})", int64_t(rows) - 1); }

bool confirm(Session& session, const std::string& action) {
  constexpr int kAttempts = 5;
  auto& out = session.out();
  for (int i = 0; i < kAttempts; ++i) {
    out << "PLEASE be CAUTIOUS with this operation ! Are you sure to " << action
        << " ? [y/n]: " << std::flush;
    const auto answer = session.read_line();
    if (answer == "y") {
      out << "you've chosen YES, we will continue ...\n";
      return true;
    }
    if (answer == "n") {
      out << "you've chosen NO, we will stop !\n";
      return false;
    }
  }
  out << "too many failed attempts, we will stop !\n";
  return false;
}

Outcome wrong_usage(Session& session, const Error& error) {
  session.err() << "ERROR: " << error.to_string() << "\n";
  return Outcome::kWrongUsage;
}

Outcome data_failed(Session& session, const Error& error) {
  if (error.code() == Code::kNotFound) session.forget_table();
  session.err() << "ERROR: " << data_error_text(error) << "\n";
  return Outcome::kFailed;
}

Outcome done_at(Session& session, const client::OperationInfo& info) {
  session.out().flush();  // both may be one terminal
  auto& err = session.err();
  err << "\napp_id          : " << info.app_id << "\npartition_index : " << info.partition_index;
  if (info.decree >= 0) err << "\ndecree          : " << info.decree;
  err << "\nserver          : " << info.server << "\n";
  return Outcome::kDone;
}

ReportOptions report_options(const Options& options) {
  return {.json = options.has('j'), .file = options.text('o')};
}

Outcome print_tables(Session& session, const TableSet& tables, const ReportOptions& options) {
  return print(session, options.json ? tables.to_json() : tables.to_text(), options.file);
}

Outcome print_table(Session& session, const Table& table, const ReportOptions& options) {
  return print(session, options.json ? table.to_json() : table.to_text(), options.file);
}

void print_foreign(Session& session, const client::ForeignRows& foreign) {
  if (foreign.rows > 0)
    session.err() << "INFO: " << rows::foreign_text(foreign, "of " + session.settings().table);
}

std::string quoted(Session& session, std::string_view bytes) {
  return "\"" + c_escape(bytes, session.settings().escape_all) + "\"";
}

}  // namespace pegmove::shell
