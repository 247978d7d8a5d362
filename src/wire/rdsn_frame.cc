#include "wire/rdsn_frame.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "wire/crc32c.h"

namespace pegmove::wire::rdsn {
namespace {

using base::load_little_endian;
using base::store_little_endian;

// Offsets in the header, a little-endian C struct.
enum : size_t {
  kHeaderLength = 8,
  kHeaderCrc = 12,
  kBodyLength = 16,
  kBodyCrc = 20,
  kId = 24,
  kTraceId = 32,
  kName = 40,
  kAppId = 96,
  kPartitionIndex = 100,
  kContext = 104,
  kFromAddress = 112,
  kTimeout = 120,
  kThreadHash = 124,
  kPartitionHash = 128,
  kErrorName = 136,
};
constexpr size_t kNameSize = 48;

// Bits of the context field.
constexpr uint64_t kIsRequest = 0x1;
constexpr uint64_t kFormatMask = 0x3c0;
constexpr uint64_t kThriftBinary = 0x40;
constexpr uint64_t kIsForwardSupported = 0x400;
constexpr uint64_t kIsBackupRequest = 0x800;

std::string_view fixed_string(std::string_view frame, size_t offset) {
  auto field = frame.substr(offset, kNameSize);
  return field.substr(0, std::min(field.find('\0'), field.size() - 1));
}

// Checks what both directions share: lengths, checksums, body format.
Result<uint64_t> check(std::string_view frame) {
  if (frame.size() < kHeaderSize)
    return fail(Code::kProtocol, "RDSN frame shorter than its header");
  auto header_crc = load_little_endian<uint32_t>(&frame[kHeaderCrc]);
  if (header_crc != 0) {
    std::string header(frame.substr(0, kHeaderSize));
    store_little_endian(&header[kHeaderCrc], uint32_t{0});
    if (crc32c(header) != header_crc) return fail(Code::kCorrupt, "RDSN header checksum mismatch");
  }
  auto body = frame.substr(kHeaderSize);
  auto body_crc = load_little_endian<uint32_t>(&frame[kBodyCrc]);
  if (body_crc != 0 && crc32c(body) != body_crc)
    return fail(Code::kCorrupt, "RDSN body checksum mismatch");
  auto context = load_little_endian<uint64_t>(&frame[kContext]);
  if ((context & kFormatMask) != kThriftBinary)
    return fail(Code::kProtocol, "RDSN body is not in Thrift's binary format");
  return context;
}

void put_name(char* field, std::string_view name, std::string_view suffix) {
  std::string whole = std::string(name) + std::string(suffix);
  whole.resize(std::min(whole.size(), kNameSize - 1));
  std::ranges::copy(whole, field);
}

// Appends a zeroed header and the body; `fill` completes the header before checksums are taken.
template <typename Fill>
void append(std::string& out, std::string_view body, bool with_checksums, Fill fill) {
  size_t start = out.size();
  out.append(kHeaderSize, '\0').append(body);
  char* header = &out[start];
  std::ranges::copy(std::string_view("RDSN"), header);
  store_little_endian(header + kHeaderLength, uint32_t(kHeaderSize));
  store_little_endian(header + kBodyLength, uint32_t(body.size()));
  fill(header);
  if (!with_checksums) return;
  store_little_endian(header + kBodyCrc, crc32c(body));
  store_little_endian(header + kHeaderCrc, crc32c({header, kHeaderSize}));
}

}  // namespace

Result<size_t> measure(std::string_view bytes, size_t max_frame_size) {
  if (bytes.size() < kBodyLength + 4) return 0;
  if (load_little_endian<uint32_t>(&bytes[kHeaderLength]) != kHeaderSize)
    return fail(Code::kProtocol, "RDSN header with a wrong header length");
  size_t size = kHeaderSize + load_little_endian<uint32_t>(&bytes[kBodyLength]);
  if (size > max_frame_size)
    return fail(Code::kTooLarge, fmt::format("RDSN frame of {} bytes is over the limit", size));
  return size;
}

Result<Request> parse_request(std::string_view frame) {
  auto context = TRY(check(frame));
  if (!(context & kIsRequest)) return fail(Code::kProtocol, "RDSN reply where a request belongs");
  Request request;
  request.head = {.framing = Framing::kRdsn,
                  .id = load_little_endian<uint64_t>(&frame[kId]),
                  .name = fixed_string(frame, kName),
                  .gpid = {load_little_endian<int32_t>(&frame[kAppId]),
                           load_little_endian<int32_t>(&frame[kPartitionIndex])},
                  .partition_hash = load_little_endian<uint64_t>(&frame[kPartitionHash]),
                  .timeout_ms = load_little_endian<int32_t>(&frame[kTimeout]),
                  .is_backup_request = (context & kIsBackupRequest) != 0,
                  .message_size = frame.size() - kHeaderSize,
                  .trace_id = load_little_endian<uint64_t>(&frame[kTraceId]),
                  .from_address = load_little_endian<uint64_t>(&frame[kFromAddress])};
  request.body = frame.substr(kHeaderSize);
  return request;
}

Result<Reply> parse_reply(std::string_view frame) {
  auto context = TRY(check(frame));
  if (context & kIsRequest) return fail(Code::kProtocol, "RDSN request where a reply belongs");
  Reply reply;
  reply.head = {.framing = Framing::kRdsn,
                .id = load_little_endian<uint64_t>(&frame[kId]),
                .name = fixed_string(frame, kName),
                .error = error_from_name(fixed_string(frame, kErrorName))};
  reply.body = frame.substr(kHeaderSize);
  return reply;
}

void append_request(std::string& out, const RequestHead& head, std::string_view body,
                    bool with_checksums) {
  append(out, body, with_checksums, [&](char* header) {
    store_little_endian(header + kId, head.id);
    store_little_endian(header + kTraceId, head.trace_id);
    put_name(header + kName, head.name, "");
    store_little_endian(header + kAppId, head.gpid.app_id);
    store_little_endian(header + kPartitionIndex, head.gpid.partition_index);
    store_little_endian(header + kContext, kIsRequest | kThriftBinary | kIsForwardSupported |
                                               (head.is_backup_request ? kIsBackupRequest : 0));
    store_little_endian(header + kFromAddress, head.from_address);
    store_little_endian(header + kTimeout, head.timeout_ms);
    store_little_endian(header + kThreadHash,
                        thread_hash(head.thread_of.app_id > 0 ? head.thread_of : head.gpid));
    store_little_endian(header + kPartitionHash, head.partition_hash);
  });
}

void append_reply(std::string& out, const RequestHead& request, ErrorCode error,
                  std::string_view body, uint64_t server_address, bool with_checksums) {
  append(out, body, with_checksums, [&](char* header) {
    store_little_endian(header + kId, request.id);
    store_little_endian(header + kTraceId, request.trace_id);
    put_name(header + kName, request.name, "_ACK");
    store_little_endian(header + kAppId, request.gpid.app_id);
    store_little_endian(header + kPartitionIndex, request.gpid.partition_index);
    store_little_endian(header + kContext, kThriftBinary | kIsForwardSupported);
    store_little_endian(header + kFromAddress, server_address);
    store_little_endian(header + kTimeout, request.timeout_ms);
    store_little_endian(header + kThreadHash, thread_hash(request.gpid));
    store_little_endian(header + kPartitionHash, request.partition_hash);
    put_name(header + kErrorName, error_name(error), "");
  });
}

}  // namespace pegmove::wire::rdsn
