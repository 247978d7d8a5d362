#include "blockstore/hdfs_rest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/percent.h"
#include "blockstore/path.h"

namespace pegmove::blockstore {
namespace {

using Json = nlohmann::json;

struct RemoteError {
  std::string exception;
  std::string message;
};

// Jetty's errors are HTML pages.
std::string_view title_or_all(std::string_view body) {
  constexpr std::string_view kBegin = "<title>", kEnd = "</title>";
  const auto begin = body.find(kBegin);
  const auto end = body.find(kEnd);
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return body;
  return body.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

RemoteError remote_error(const HttpAnswer& answer) {
  const auto json = base::parse_json<Json>(answer.body);
  if (json.is_object() && json.contains("RemoteException") && json["RemoteException"].is_object()) {
    const auto& remote = json["RemoteException"];
    const auto message = base::text_in(remote, "message");
    return {.exception = base::text_in(remote, "exception"),
            .message = message.substr(0, std::min(message.find('\n'), size_t{500}))};
  }
  return {.exception = "", .message = base::printable(title_or_all(answer.body), 200)};
}

Code code_of_hdfs(int status, const std::string& exception) {
  if (exception == "FileNotFoundException") return Code::kNotFound;
  if (exception == "FileAlreadyExistsException") return Code::kAlreadyExists;
  if (exception == "AccessControlException" || exception == "SecurityException")
    return status == 401 ? Code::kUnauthenticated : Code::kRefused;
  if (exception == "StandbyException" || exception == "SafeModeException" ||
      exception == "RetriableException")
    return Code::kBusy;
  // Hadoop answers many of these with 403.
  if (exception == "IOException" || exception.ends_with("QuotaExceededException")) return Code::kIo;
  switch (status) {
    case 401: return Code::kUnauthenticated;
    case 403: return Code::kRefused;
    case 404: return Code::kNotFound;
    case 429:
    case 502:
    case 503:
    case 504: return Code::kBusy;
    default: return Code::kIo;
  }
}

std::string ticket_hint(const HttpAnswer& answer) {
  if (answer.ticket_error.empty())
    return "; the name node does not accept this Kerberos ticket (see klist)";
  return fmt::format(
      "; no Kerberos ticket: {}; get one with kinit, or set KRB5_CLIENT_KTNAME to a keytab",
      base::printable(answer.ticket_error, 300));
}

// Whether another name node may succeed.
bool is_standby(const HttpAnswer& answer) {
  return answer.status == 403 && remote_error(answer).exception == "StandbyException";
}

bool is_redirect(int status) { return status == 307 || status == 302; }

}  // namespace

HdfsRest::HdfsRest(HdfsOptions options)
    : options_(std::move(options)),
      http_({.silence_timeout = options_.silence_timeout, .ca_file = options_.ca_file}) {}

// Hadoop answers 401 when there is no ticket, and 403, without an exception, for an invalid one. A
// data node gets the token that the name node returned.
Error HdfsRest::error_of(const Reply& reply) const {
  const auto& answer = reply.answer;
  const auto remote = remote_error(answer);
  std::string text = "HTTP status " + std::to_string(answer.status);
  if (!remote.exception.empty()) text += ", " + remote.exception;
  if (!remote.message.empty()) text += ": " + remote.message;
  const bool is_stranger =
      answer.status == 401 || (answer.status == 403 && remote.exception.empty());
  if (is_stranger && !reply.is_from_data_node && asks_for_ticket()) text += ticket_hint(answer);
  if (answer.status == 401 && !options_.kerberos && options_.token.empty())
    text += "; this HDFS needs auth=kerberos or a token in args";
  return {code_of_hdfs(answer.status, remote.exception), text};
}

std::string HdfsRest::url(const std::string& address, const std::string& path,
                          const std::string& operation) const {
  auto url = address + "/webhdfs/v1/" + base::percent_encode(path, true) + "?op=" + operation;
  if (!options_.token.empty())
    url += "&delegation=" + base::percent_encode(options_.token);
  else if (!options_.user.empty() && !asks_for_ticket())
    url += "&user.name=" + base::percent_encode(options_.user);
  return url;
}

// The one that answered last is asked first, and each once. A standby may forward a call to a data
// node, and only that one notices: so the next name node is tried after both steps.
Result<HdfsRest::Reply> HdfsRest::call(const std::string& path, const std::string& operation,
                                       HttpCall data) {
  Error last(Code::kUnreachable, "no name node is configured");
  const auto first = active_.load();
  for (size_t i = 0; i < options_.addresses.size(); ++i) {
    const auto which = (first + i) % options_.addresses.size();
    const auto& address = options_.addresses[which];
    // A data node gets the token that the name node put into its address, not the ticket.
    auto answer = http_.send({.method = data.method,
                              .url = url(address, path, operation),
                              .negotiate = asks_for_ticket()});
    const bool is_redirected = answer && is_redirect(answer->status);
    if (is_redirected) {
      data.url = answer->header("location");
      answer = TRY(http_.send(data));
    }
    if (answer && !is_standby(*answer)) {
      active_ = which;
      return Reply{.answer = std::move(*answer), .is_from_data_node = is_redirected};
    }
    last = answer ? Error(Code::kBusy, fmt::format("name node {} is on standby", address))
                  : std::move(answer.error());
    if (last.code() == Code::kInterrupted || last.code() == Code::kUnauthenticated) break;
  }
  return fail(std::move(last));
}

Result<Json> HdfsRest::ask(const std::string& method, const std::string& path,
                           const std::string& operation) {
  const auto reply = TRY(call(path, operation, {.method = method}));
  const auto& answer = reply.answer;
  if (answer.status != 200 && answer.status != 201) return fail(error_of(reply));
  if (answer.body.empty()) return Json::object();
  auto json = base::parse_json<Json>(answer.body);
  if (!json.is_object())
    return fail(Code::kProtocol, fmt::format("the answer to {} is not a JSON object: {}", operation,
                                             base::printable(answer.body, 100)));
  return json;
}

Result<std::string> HdfsRest::move_data(const std::string& method, const std::string& path,
                                        const std::string& operation, std::string_view body,
                                        size_t most_reply_bytes) {
  auto reply = TRY(call(path, operation,
                        {.method = method,
                         .headers = {"Content-Type: application/octet-stream"},
                         .body = body,
                         .most_reply_bytes = most_reply_bytes}));
  auto& answer = reply.answer;
  if (answer.status >= 300) return fail(error_of(reply));
  if (!reply.is_from_data_node)
    return fail(Code::kProtocol,
                "the name node did not choose a data node, but answered with status " +
                    std::to_string(answer.status));
  return std::move(answer.body);
}

}  // namespace pegmove::blockstore
