// The one file that includes Boost.Beast.
#include "net/http_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

namespace pegmove::net {
namespace http = boost::beast::http;

namespace {

std::string_view status_line(int status) {
  switch (status) {
    case 200: return "HTTP/1.1 200 OK\r\n";
    case 307: return "HTTP/1.1 307 Temporary Redirect\r\n";
    case 400: return "HTTP/1.1 400 Bad Request\r\n";
    case 404: return "HTTP/1.1 404 Not Found\r\n";
    default: return "HTTP/1.1 500 Internal Server Error\r\n";
  }
}

}  // namespace

bool begins_http(std::string_view bytes) {
  return bytes.starts_with("GET ") || bytes.starts_with("POST");
}

std::string to_bytes(const HttpReply& reply) {
  std::string bytes(status_line(reply.status));
  bytes += "Content-Type: " + reply.content_type + "\r\n";
  bytes += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
  // It contains bytes of the request: a client must not be able to add header lines.
  std::string location;
  for (char c : reply.location)
    if (uint8_t(c) > ' ' && c != '\x7f') location += c;
  if (!location.empty()) bytes += "Location: " + location + "\r\n";
  return bytes + "\r\n" + reply.body;
}

struct HttpReader::Parser {
  Parser(size_t max_header_size, size_t max_body_size)
      : max_header_size(max_header_size), max_body_size(max_body_size) {
    renew();
  }

  void renew() {
    current.emplace();
    current->eager(true);
    current->header_limit(uint32_t(max_header_size));
    current->body_limit(max_body_size);
  }

  size_t max_header_size;
  size_t max_body_size;
  std::string unread;  // bytes that the parser has not consumed yet
  std::optional<http::request_parser<http::string_body>> current;
};

HttpReader::HttpReader(size_t max_header_size, size_t max_body_size)
    : parser_(std::make_unique<Parser>(max_header_size, max_body_size)) {}

HttpReader::~HttpReader() = default;

void HttpReader::add(std::string_view bytes) { parser_->unread += bytes; }

bool HttpReader::has_begun() const {
  return !parser_->unread.empty() || parser_->current->got_some();
}

bool HttpReader::has_header() const { return parser_->current->is_header_done(); }

Result<std::optional<HttpRequest>> HttpReader::next() {
  auto& parser = *parser_->current;
  boost::system::error_code error;
  while (!parser_->unread.empty() && !parser.is_done() && !error) {
    auto taken = parser.put(boost::asio::buffer(parser_->unread), error);
    parser_->unread.erase(0, taken);
  }
  if (error == http::error::header_limit || error == http::error::body_limit ||
      error == http::error::buffer_overflow ||
      // Beast has no limit when it waits for the end of a line of a chunked body.
      (error == http::error::need_more && parser_->unread.size() > parser_->max_header_size))
    return fail(Code::kTooLarge, "an HTTP request is larger than allowed");
  if (error && error != http::error::need_more)
    return fail(Code::kProtocol, "malformed HTTP request: " + error.message());
  if (parser.is_header_done() && parser.get().method() != http::verb::get &&
      parser.get().method() != http::verb::post)
    return fail(Code::kProtocol, "an HTTP request that is neither GET nor POST");
  if (!parser.is_done()) return std::nullopt;
  auto message = parser.release();
  HttpRequest request;
  request.method = message.method() == http::verb::get ? HttpMethod::kGet : HttpMethod::kPost;
  request.target = std::string(message.target());
  request.keep_alive = message.keep_alive();
  request.body = std::move(message.body());
  parser_->renew();
  return request;
}

}  // namespace pegmove::net
