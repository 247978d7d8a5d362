#include "net/http_get.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "async/task_group.h"

namespace pegmove::net {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;
using Parser = http::response_parser<http::string_body>;

constexpr size_t kBlock = 64 << 10;
constexpr uint32_t kMaxHeader = 64 << 10;
constexpr async::milliseconds kConnectTime{
    3000};  // as for a channel: the node may have other addresses

Error wrong(const error_code& error, size_t max_body) {
  if (error == http::error::body_limit || error == http::error::buffer_overflow)
    return {Code::kTooLarge,
            fmt::format("the reply has more than {} bytes, which is the limit", max_body)};
  return {Code::kProtocol, "the reply is not valid HTTP: " + error.message()};
}

// Removes bytes from the front of `unread` as far as they make whole elements.
Result<void> parse(Parser& parser, std::string& unread, size_t max_body) {
  while (!unread.empty() && !parser.is_done()) {
    error_code error;
    auto used = parser.put(boost::asio::buffer(unread), error);
    unread.erase(0, used);
    if (error == http::error::need_more) break;
    if (error) return fail(wrong(error, max_body));
  }
  if (unread.size() > kMaxHeader)
    return fail(Code::kProtocol, "the reply is not valid HTTP: its header is too long");
  return {};
}

Task<HttpResponse> exchange(Stream& stream, const std::string& request, size_t max_body) {
  CO_TRY(co_await stream.write_all(request));
  Parser parser;
  parser.eager(true);
  parser.body_limit(max_body);
  parser.header_limit(kMaxHeader);
  std::string unread;
  auto block = std::make_unique<std::array<char, kBlock>>();
  while (!parser.is_done()) {
    auto size = CO_TRY(co_await stream.read_some(*block));
    if (size == 0) {
      if (!parser.got_some())
        co_return fail(Code::kUnreachable, "the connection was closed before the reply");
      error_code error;
      parser.put_eof(error);
      if (error) co_return fail(wrong(error, max_body));
      break;
    }
    unread.append(block->data(), size);
    CO_TRY(parse(parser, unread, max_body));
  }
  co_return HttpResponse{int(parser.get().result_int()), std::move(parser.get().body())};
}

struct Watch {
  bool is_over = false;  // the exchange has ended
  bool is_late = false;
};

Routine<> close_when_late(Clock& clock, Stream& stream, Watch& watch, Deadline deadline) {
  while (!watch.is_over && !deadline.passed(clock))
    co_await clock.sleep_until(deadline.at);  // no result
  if (watch.is_over) co_return;
  watch.is_late = true;
  stream.close();
}

}  // namespace

Task<HttpResponse> http_get(Connector& connector, Clock& clock, Address to, std::string target,
                            Deadline deadline, size_t max_body) {
  auto stream =
      CO_TRY(co_await connector.connect(to, deadline.earlier(Deadline::in(clock, kConnectTime))));
  auto request = "GET " + target + " HTTP/1.1\r\nHost: " + to.to_string() +
                 "\r\nConnection: close\r\nAccept: */*\r\n\r\n";
  Watch watch;
  async::TaskGroup watchers(co_await asio::this_coro::executor);
  watchers.spawn(close_when_late(clock, *stream, watch, deadline));
  auto reply = co_await exchange(*stream, request, max_body);
  watch.is_over = true;
  watchers.stop();
  co_await watchers.join();  // no result
  stream->close();
  auto doing = fmt::format("GET {} of {}", target.substr(0, target.find('?')), to.to_string());
  if (!reply && watch.is_late) co_return fail(Code::kTimeout, doing + ": no whole reply in time");
  co_return in_context(std::move(reply), doing);
}

}  // namespace pegmove::net
