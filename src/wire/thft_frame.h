// The THFT half of frame.h, versions 0 and 1: private to this folder.
#pragma once

#include "wire/frame.h"

namespace pegmove::wire::thft {

Result<size_t> measure_request(std::string_view bytes, size_t max_frame_size);
Result<size_t> measure_reply(std::string_view bytes, size_t max_frame_size);
Result<Request> parse_request(std::string_view frame);
Result<Reply> parse_reply(std::string_view frame);
void append_request(std::string& out, const RequestHead& head, std::string_view body);
void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body);

}  // namespace pegmove::wire::thft
