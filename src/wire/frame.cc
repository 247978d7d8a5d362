#include "wire/frame.h"

#include "wire/rdsn_frame.h"
#include "wire/thft_frame.h"

namespace pegmove::wire {

Result<size_t> measure_request(std::string_view bytes, size_t max_frame_size) {
  if (bytes.size() < 4) return 0;
  if (bytes.starts_with("RDSN")) return rdsn::measure(bytes, max_frame_size);
  if (bytes.starts_with("THFT")) return thft::measure_request(bytes, max_frame_size);
  return fail(Code::kProtocol, "neither an RDSN nor a THFT frame");
}

Result<size_t> measure_reply(Framing framing, std::string_view bytes, size_t max_frame_size) {
  if (framing != Framing::kRdsn) return thft::measure_reply(bytes, max_frame_size);
  if (bytes.size() >= 4 && !bytes.starts_with("RDSN"))
    return fail(Code::kProtocol, "the reply is not an RDSN frame");
  return rdsn::measure(bytes, max_frame_size);
}

Result<Request> parse_request(std::string_view frame) {
  return frame.starts_with("RDSN") ? rdsn::parse_request(frame) : thft::parse_request(frame);
}

Result<Reply> parse_reply(Framing framing, std::string_view frame) {
  return framing == Framing::kRdsn ? rdsn::parse_reply(frame) : thft::parse_reply(frame);
}

void append_request(std::string& out, const RequestHead& head, std::string_view body,
                    bool with_checksums) {
  if (head.framing == Framing::kRdsn)
    rdsn::append_request(out, head, body, with_checksums);
  else
    thft::append_request(out, head, body);
}

void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body, uint64_t server_address, bool with_checksums) {
  if (request.framing == Framing::kRdsn)
    rdsn::append_reply(out, request, error, body, server_address, with_checksums);
  else
    thft::append_reply(out, request, error, body);
}

}  // namespace pegmove::wire
