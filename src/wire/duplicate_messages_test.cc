#include "wire/duplicate_messages.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "data_types.h"
#include "wire/thrift_codec.h"

namespace pegmove::wire {
namespace {

using base::to_hex;

duplicate_entry entry_of(const PutView& put, const DuplicateStamp& stamp) {
  update_request request;
  request.key.data = put.key;
  request.value.data = put.value;
  request.expire_ts_seconds = int32_t(put.expire_ts);
  duplicate_entry entry;
  entry.__set_timestamp(stamp.timestamp_us);
  entry.__set_task_code({"RPC_RRDB_RRDB_PUT"});
  entry.__set_raw_message({encode_body(request)});
  entry.__set_cluster_id(stamp.cluster_id);
  if (stamp.verify_timetag) entry.__set_verify_timetag(true);
  return entry;
}

const std::vector<PutView> kPuts{
    {std::string_view("\0\1hs", 4), "value", 0},
    {std::string_view("\0\0", 2), "", 0},
    {std::string_view("\0\2hh\0", 5), std::string_view("v\0w", 3), UINT32_MAX}};

std::string written(const DuplicateStamp& stamp, const std::vector<PutView>& puts) {
  std::string out = "before";
  DuplicatePutsWriter writer(out, stamp, uint32_t(puts.size()));
  for (const auto& put : puts) {
    auto size = out.size();
    writer.add(put);
    EXPECT_LE(out.size() - size, DuplicatePutsWriter::most_entry_bytes(put.key, put.value));
  }
  writer.finish();
  return out.substr(6);
}

TEST(DuplicateMessages, WrittenPutsAreThoseOfTheGeneratedStruct) {
  for (const auto& stamp : {DuplicateStamp{1'700'000'000'000'000, 1, false},
                            DuplicateStamp{-1, 127, true}, DuplicateStamp{}})
    for (size_t count = 0; count <= kPuts.size(); ++count) {
      std::vector<PutView> puts(kPuts.begin(), kPuts.begin() + std::ptrdiff_t(count));
      duplicate_request request;
      for (const auto& put : puts) request.entries.push_back(entry_of(put, stamp));
      EXPECT_EQ(to_hex(written(stamp, puts)), to_hex(encode_body(request)));
    }
}

const std::vector<DuplicateEntryView> kEntries{
    {1'700'000'000'000'000, "RPC_RRDB_RRDB_PUT", std::string_view("b\0dy", 4), 1, false},
    {-1, "RPC_RRDB_RRDB_MULTI_REMOVE", "", -128, true},
    {5, "RPC_RRDB_RRDB_PUT", "b", 1, false, DuplicatePosition{INT64_MAX, 0}}};

TEST(DuplicateMessages, WrittenEntriesAreThoseOfTheGeneratedStruct) {
  for (size_t count = 0; count <= kEntries.size(); ++count) {
    duplicate_request request;
    std::string out = "before";
    size_t expected = out.size() + DuplicateWriter::kBodyOverhead - DuplicateWriter::kSourceBytes;
    DuplicateWriter writer(out, uint32_t(count));
    for (size_t i = 0; i < count; ++i) {
      const auto& entry = kEntries[i];
      writer.add(entry);
      expected += DuplicateWriter::entry_bytes(entry);
      auto& made = request.entries.emplace_back();
      made.__set_timestamp(entry.timestamp_us);
      made.__set_task_code({std::string(entry.task_code)});
      made.__set_raw_message({std::string(entry.raw_message)});
      made.__set_cluster_id(entry.cluster_id);
      if (entry.verify_timetag) made.__set_verify_timetag(true);
      if (entry.position) made.__set_decree(entry.position->decree);
      if (entry.position) made.__set_write_index(entry.position->write_index);
    }
    std::optional<DuplicateSource> source;
    if (count == kEntries.size()) {
      source = DuplicateSource{1, 2, 3};
      request.source.app_id = 1;
      request.source.partition_index = 2;
      request.source.log_id = 3;
      request.__isset.source = true;
      expected += DuplicateWriter::kSourceBytes;
    }
    writer.finish(source);
    EXPECT_EQ(to_hex(out.substr(6)), to_hex(encode_body(request)));
    EXPECT_EQ(out.size(), expected);
  }
}

TEST(DuplicateMessages, EntriesAreReadAsTheyWereWritten) {
  const DuplicateStamp stamp{77, 3, true};
  auto body = written(stamp, kPuts);
  auto request = decode_duplicate(body);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->source, std::nullopt);
  ASSERT_EQ(request->entries.size(), kPuts.size());
  for (size_t i = 0; i < kPuts.size(); ++i) {
    const auto& entry = request->entries[i];
    EXPECT_EQ(entry.position, std::nullopt);
    EXPECT_EQ(entry.timestamp_us, 77);
    EXPECT_EQ(entry.task_code, "RPC_RRDB_RRDB_PUT");
    EXPECT_EQ(entry.cluster_id, 3);
    EXPECT_TRUE(entry.verify_timetag);
    auto put = decode_put(entry.raw_message);
    ASSERT_TRUE(put) << put.error().to_string();
    EXPECT_EQ(put->key, kPuts[i].key);
    EXPECT_EQ(put->value, kPuts[i].value);
    EXPECT_EQ(put->expire_ts, kPuts[i].expire_ts);
  }
}

std::string written_log() {
  std::string body;
  DuplicateWriter writer(body, uint32_t(kEntries.size()));
  for (auto entry : kEntries) {
    if (!entry.position) entry.position = DuplicatePosition{int64_t(entry.task_code.size()), 7};
    writer.add(entry);
  }
  writer.finish(DuplicateSource{1, 2, INT64_MAX});
  return body;
}

TEST(DuplicateMessages, ThePlaceInALogIsReadAsItWasWritten) {
  const auto body = written_log();
  auto request = decode_duplicate(body);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->source, (DuplicateSource{1, 2, INT64_MAX}));
  ASSERT_EQ(request->entries.size(), 3u);
  EXPECT_EQ(request->entries[0].position, (DuplicatePosition{17, 7}));
  EXPECT_EQ(request->entries[2].position, (DuplicatePosition{INT64_MAX, 0}));
  EXPECT_EQ(request->entries[0].raw_message, std::string_view("b\0dy", 4));
  for (size_t size = 0; size < body.size(); ++size)
    ASSERT_FALSE(decode_duplicate(body.substr(0, size))) << size;
}

// As servers of Pegasus read what an embedded cluster sends: with declarations of their own.
TEST(DuplicateMessages, FieldsThatAreNotKnownAreSkipped) {
  auto body = written_log();
  for (const char known : {char(100), char(101)}) {  // these fields become 200 and 201
    const auto from = std::string(1, '\0') + known;
    for (size_t at = body.find(from); at != std::string::npos; at = body.find(from, at + 2))
      if (at > 0 && (body[at - 1] == 10 || body[at - 1] == 8 || body[at - 1] == 12))
        body[at + 1] = char(uint8_t(known) + 100);
  }
  auto request = decode_duplicate(body);
  ASSERT_TRUE(request) << request.error().to_string();
  EXPECT_EQ(request->source, std::nullopt);
  ASSERT_EQ(request->entries.size(), 3u);
  EXPECT_EQ(request->entries[1].task_code, "RPC_RRDB_RRDB_MULTI_REMOVE");
  EXPECT_EQ(request->entries[2].position, std::nullopt);
}

TEST(DuplicateMessages, EveryTruncationIsRefused) {
  auto body = written({77, 3, true}, kPuts);
  for (size_t size = 0; size < body.size(); ++size)
    ASSERT_FALSE(decode_duplicate(body.substr(0, size))) << size;
  EXPECT_FALSE(decode_duplicate(body + '\0'));
}

TEST(DuplicateMessages, AListLargerThanItsFrameIsRefused) {
  auto body = written({77, 3, true}, kPuts);
  base::store_big_endian(&body[3 + 3 + 1], uint32_t(1) << 30);
  auto refused = decode_duplicate(body);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kProtocol);
}

}  // namespace
}  // namespace pegmove::wire
