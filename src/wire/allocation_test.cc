// What the decoders allocate for bodies that claim more than they contain. The program's operator
// new is replaced here: it counts, and it refuses single allocations above a limit.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

#include "backup_types.h"
#include "base/bytes.h"
#include "bulk_load_types.h"
#include "data_types.h"
#include "meta_types.h"
#include "replica_admin_types.h"
#include "wire/binary.h"
#include "wire/row_messages.h"
#include "wire/thrift_codec.h"

namespace {

thread_local size_t allocated = 0;  // since a Counting began
thread_local size_t largest_piece = size_t(1) << 40;

void* allocate(size_t size) noexcept {
  allocated += size;
  return size > largest_piece ? nullptr : std::malloc(size ? size : 1);
}

}  // namespace

void* operator new(size_t size) {
  if (void* piece = allocate(size)) return piece;
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* piece) noexcept { std::free(piece); }
void operator delete(void* piece, size_t) noexcept { std::free(piece); }
void operator delete(void* piece, const std::nothrow_t&) noexcept { std::free(piece); }

namespace pegmove::wire {
namespace {

constexpr size_t kMiB = size_t(1) << 20;

// From here to the end of the block allocations are counted and limited.
class Counting {
 public:
  Counting() {
    allocated = 0;
    largest_piece = 512 * kMiB;
  }
  ~Counting() { largest_piece = size_t(1) << 40; }
  size_t bytes() const { return allocated; }
};

// A body whose struct begins with a list, or a map, of `count` elements and contains `room` zeroes.
std::string list_body(int16_t id, BinaryReader::Type element, uint32_t count, size_t room) {
  std::string body;
  append_field_begin(body, BinaryReader::kStruct, 0);
  append_field_begin(body, BinaryReader::kList, id);
  body += char(element);
  base::append_big_endian(body, count);
  return body.append(room, '\0');
}
std::string map_body(int16_t id, BinaryReader::Type element, uint32_t count, size_t room) {
  std::string body;
  append_field_begin(body, BinaryReader::kStruct, 0);
  append_field_begin(body, BinaryReader::kMap, id);
  body += char(element);
  body += char(element);
  base::append_big_endian(body, count);
  return body.append(room, '\0');
}

template <typename Decode>
void expect_refused_at_once(std::string_view body, Decode decode) {
  Counting counting;
  bool accepted = decode(body).has_value();
  auto bytes = counting.bytes();
  EXPECT_FALSE(accepted);
  EXPECT_LT(bytes, 4096U);
}

constexpr auto kStruct = BinaryReader::kStruct;

TEST(Allocation, ListsThatClaimTooMuchAreRefusedAtOnce) {
  constexpr size_t kRoom = 1000;
  for (uint32_t count :
       {kRoom + 1, size_t{1} << 30, size_t{0x7fffffff}, size_t{1} << 31, size_t{0xffffffff}}) {
    auto structs = [&](int16_t id) { return list_body(id, kStruct, count, kRoom); };
    expect_refused_at_once(structs(2), decode_multi_put);
    expect_refused_at_once(structs(2), decode_scan_reply);
    expect_refused_at_once(structs(2), decode_body<multi_put_request>);
    expect_refused_at_once(structs(2), decode_body<scan_response>);
    expect_refused_at_once(structs(2), decode_body<multi_get_request>);
    expect_refused_at_once(structs(1), decode_body<batch_get_request>);
    expect_refused_at_once(structs(5), decode_body<query_cfg_response>);
    expect_refused_at_once(structs(2), decode_body<configuration_list_apps_response>);
    auto strings = list_body(2, BinaryReader::kString, count, kRoom);
    expect_refused_at_once(strings, decode_body<configuration_cluster_info_response>);
    auto numbers = list_body(2, BinaryReader::kI32, count, kRoom);
    expect_refused_at_once(numbers, decode_body<query_cfg_request>);
    for (auto type : {BinaryReader::kBool, BinaryReader::kList, kStruct}) {
      expect_refused_at_once(list_body(99, type, count, kRoom), decode_body<read_response>);
      expect_refused_at_once(map_body(99, type, count, kRoom), decode_body<read_response>);
    }
    expect_refused_at_once(list_body(99, BinaryReader::kBool, count, kRoom), decode_put);
  }
}

TEST(Allocation, StringsThatClaimTooMuchAreRefusedAtOnce) {
  for (std::string_view length : {"000003e8", "7fffffff", "80000000", "ffffffff"}) {
    auto claim = base::from_hex(length).value() + std::string(900, '\0');
    auto key = base::from_hex("0c00000c0001").value() + claim;
    expect_refused_at_once(key, decode_put);
    expect_refused_at_once(key, decode_body<update_request>);
    auto name = base::from_hex("0c00000b0001").value() + claim;
    expect_refused_at_once(name, decode_body<query_cfg_request>);
  }
}

// Structs in memory are up to fifty times larger than the few bytes that a hostile list spends on
// each of them.
TEST(Allocation, ListsOfManyEmptyStructsDoNotExhaustTheMemory) {
  constexpr size_t kRoom = 4 * kMiB;
  for (uint32_t count : {kRoom / 4, kRoom / 15, size_t{256} << 10}) {
    auto decode = [&](auto decode_one, int16_t id) {
      auto body = list_body(id, kStruct, count, kRoom);
      Counting counting;
      EXPECT_NO_THROW((void)decode_one(body));
      return counting.bytes();
    };
    EXPECT_LT(decode(decode_body<query_cfg_response>, 5), 25 * kRoom) << count;
    EXPECT_LT(decode(decode_body<configuration_list_apps_response>, 2), 25 * kRoom) << count;
    EXPECT_LT(decode(decode_body<multi_put_request>, 2), 25 * kRoom) << count;
    EXPECT_LT(decode(decode_body<batch_get_response>, 2), 25 * kRoom) << count;
    EXPECT_LT(decode(decode_multi_put, 2), 25 * kRoom) << count;
  }
}

}  // namespace
}  // namespace pegmove::wire
