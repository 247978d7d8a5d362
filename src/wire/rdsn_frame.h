// The RDSN half of frame.h: private to this folder.
#pragma once

#include "wire/frame.h"

namespace pegmove::wire::rdsn {

inline constexpr size_t kHeaderSize = 192;

Result<size_t> measure(std::string_view bytes, size_t max_frame_size);
Result<Request> parse_request(std::string_view frame);
Result<Reply> parse_reply(std::string_view frame);
void append_request(std::string& out, const RequestHead& head, std::string_view body,
                    bool with_checksums);
void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body, uint64_t server_address, bool with_checksums);

}  // namespace pegmove::wire::rdsn
