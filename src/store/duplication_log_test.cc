// The duplication log over restarts, in copied folders, with damage, and trimmed.
#include "store/duplication_log.h"

#include <gmock/gmock.h>
#include <rocksdb/sst_file_writer.h>

#include <filesystem>
#include <functional>
#include <random>
#include <thread>

#include "record/value.h"
#include "store/log_format.h"
#include "store/logged_writes_test.h"

namespace pegmove::store {
namespace {

using ::testing::HasSubstr;

TEST(LogFormat, AnEntryComesBackAsItWas) {
  const LoggedMutation mutation{.decree = 12,
                                .timestamp_us = kTimestamp,
                                .writes = {{LoggedCode::kPut, "first"},
                                           {LoggedCode::kMultiRemove, std::string_view("\0b", 2)}}};
  const LogEnd before{.covered = 11, .last = 9, .mutations = 3, .bytes = 100};
  const auto bytes = encode_entry(mutation, before);
  const auto entry = decode_entry(12, bytes);
  ASSERT_TRUE(entry) << entry.error().to_string();
  EXPECT_EQ(text_of(entry->mutation), text_of(mutation));
  EXPECT_EQ(entry->previous, 9);
  EXPECT_EQ(entry->mutations_before, 3);
  EXPECT_EQ(entry->bytes_before, 100);
  EXPECT_EQ(end_after(before, mutation),
            (LogEnd{.covered = 12, .last = 12, .mutations = 4, .bytes = 107}));
  EXPECT_EQ(decree_of(entry_key(12)), 12);
  EXPECT_LT(entry_key(255), entry_key(256));
  EXPECT_LT(entry_key(INT64_MAX), entries_end());
  EXPECT_LT(entries_end(), std::string(kLogBrokenKey));
}

TEST(LogFormat, EachChangedBitAndEachCutIsSeen) {
  const auto bytes = encode_entry({.decree = 12, .timestamp_us = 7, .writes = {{{}, "body"}}}, {});
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    auto changed = bytes;
    changed[bit / 8] ^= char(1 << (bit % 8));
    EXPECT_FALSE(decode_entry(12, changed)) << bit;
  }
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(decode_entry(12, bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_entry(12, bytes + "x"));
  EXPECT_FALSE(decode_entry(13, bytes));
}

TEST(LogFormat, OnlyWholeNumbersAreAState) {
  EXPECT_EQ(decode_end(encode_end({.covered = 4, .last = 3, .mutations = 2, .bytes = 1})),
            (LogEnd{.covered = 4, .last = 3, .mutations = 2, .bytes = 1}));
  for (const auto* text :
       {"", "1", "1 2 3", "1 2 3 4 5", "1 2 3 -4", "1  2 3", "a b c d", "1 2 3 "})
    EXPECT_FALSE(decode_end(text)) << text;
  EXPECT_EQ(decode_start("7 9")->begins_after, 7);
  EXPECT_EQ(decode_start("7 9")->id, 9u);
  for (const auto* text : {"", "7", "7 ", "7 9 ", "7 18446744073709551615"})
    EXPECT_FALSE(decode_start(text)) << text;
}

class DuplicationLog : public ::testing::Test {
 protected:
  DuplicationLog() { reopen(); }
  void reopen() {
    db_.reset();
    db_ = open({.path = folder_ / "db", .allow_ingest_behind = behind_});
  }
  // From the last decree on.
  void put_some(int64_t count, const std::string& body = "body") {
    for (int64_t i = 0; i < count; ++i) {
      const auto number = db_->last_decree() + 1;
      const auto written = put_logged(*db_, number, body + std::to_string(number));
      ASSERT_TRUE(written) << written.error().to_string();
    }
  }
  // Changes the meta family of the closed database, and opens it again.
  void change(const std::function<void(rocksdb::DB&, rocksdb::ColumnFamilyHandle*)>& action) {
    db_.reset();
    const PartitionOptions options{.path = folder_ / "db"};
    PartitionHooks hooks{.errors = std::make_shared<ErrorListener>(),
                         .log_sync = nullptr,
                         .compaction_filter = nullptr};
    rocksdb::DB* opened = nullptr;
    std::vector<rocksdb::ColumnFamilyHandle*> families;
    ASSERT_TRUE(rocksdb::DB::Open(make_db_options(options, hooks), options.path,
                                  make_families(options, hooks), &families, &opened)
                    .ok());
    std::unique_ptr<rocksdb::DB> db(opened);
    action(*db, families[1]);
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    db.reset();
    reopen();
  }
  void remove_entries(std::initializer_list<int64_t> decrees) {
    change([&](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
      for (auto decree : decrees) ASSERT_TRUE(db.Delete({}, meta, entry_key(decree)).ok());
    });
  }
  size_t entries_in_database() {
    size_t entries = 0;
    change([&](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
      const std::unique_ptr<rocksdb::Iterator> all(db.NewIterator({}, meta));
      for (all->Seek(entry_key(0)); all->Valid(); all->Next())
        entries += decree_of(all->key().ToStringView()).has_value();
    });
    return entries;
  }

  TestFolder folder_;
  bool behind_ = false;
  std::unique_ptr<PartitionDb> db_;
};

TEST_F(DuplicationLog, HasWhatIsWrittenWhileItIsKept) {
  ASSERT_TRUE(put_logged(*db_, 1, "before"));
  EXPECT_FALSE(db_->keeps_log());
  EXPECT_FALSE(db_->log_start());
  EXPECT_EQ(db_->read_log(0, 100).error().code(), Code::kNotFound);
  EXPECT_EQ(db_->log_backlog(0).error().code(), Code::kNotFound);
  ASSERT_EQ(db_->keep_log(), 1);
  EXPECT_EQ(db_->log_start()->begins_after, 1);
  WriteBatch several = db_->new_batch();
  const std::vector<LoggedMutation> logged{
      {.decree = 3,
       .timestamp_us = kTimestamp + 3,
       .writes = {{LoggedCode::kPut, "a"}, {LoggedCode::kRemove, "b"}}},
      {.decree = 5, .timestamp_us = kTimestamp + 5, .writes = {{LoggedCode::kMultiPut, "c"}}}};
  ASSERT_TRUE(db_->write(several, 6, kTimestamp + 6, logged));
  WriteBatch none = db_->new_batch();
  ASSERT_TRUE(db_->write(none, 8, kTimestamp + 8));
  const LogText expected{{3, "3|1:a|3:b"}, {5, "5|2:c"}};
  EXPECT_EQ(read_all(*db_, 1), expected);
  EXPECT_EQ(must_read(*db_, 1).last_decree, 8) << "there is nothing between 5 and 8";
  reopen();
  EXPECT_EQ(read_all(*db_, 1), expected);
  EXPECT_EQ(read_all(*db_, 3), (LogText{{5, "5|2:c"}}));
  EXPECT_EQ(read_all(*db_, 4), (LogText{{5, "5|2:c"}}));
  EXPECT_EQ(read_all(*db_, 8), LogText{});
}

TEST_F(DuplicationLog, RefusesEntriesThatAreNoneOfTheBatch) {
  ASSERT_TRUE(put_logged(*db_, 3, "v"));
  ASSERT_EQ(db_->keep_log(), 3);
  for (const int64_t decree : {3, 6}) {
    WriteBatch batch = db_->new_batch();
    const std::vector<LoggedMutation> logged{
        {.decree = decree, .timestamp_us = 1, .writes = {{LoggedCode::kPut, "v"}}}};
    EXPECT_EQ(db_->write(batch, 5, 1, logged).error().code(), Code::kInvalidArgument) << decree;
  }
  EXPECT_EQ(db_->last_decree(), 3);
}

TEST_F(DuplicationLog, IsReadInPiecesOfTheSizeThatIsAskedFor) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(20, std::string(1000, 'v'));
  auto piece = must_read(*db_, 0, 1);
  EXPECT_EQ(piece.mutations.size(), 1u) << "a piece has at least one";
  EXPECT_EQ(piece.last_decree, 1);
  EXPECT_FALSE(piece.is_end);
  piece = must_read(*db_, 5, 5'500);
  EXPECT_EQ(piece.mutations.size(), 5u);
  EXPECT_EQ(piece.mutations.front().decree, 6);
  EXPECT_EQ(piece.last_decree, 10);
  EXPECT_FALSE(piece.is_end);
  piece = must_read(*db_, 10);
  EXPECT_EQ(piece.mutations.size(), 10u);
  EXPECT_TRUE(piece.is_end);
  EXPECT_EQ(read_all(*db_, 0, 3000).size(), 20u);
}

TEST_F(DuplicationLog, WithASecondDuplicationReturnsTheDecreeOfNow) {
  ASSERT_EQ(db_->keep_log(), 0);
  const auto first = *db_->log_start();
  put_some(3);
  EXPECT_EQ(db_->keep_log(), 3);
  EXPECT_EQ(db_->log_start()->id, first.id);
  EXPECT_EQ(db_->log_start()->begins_after, 0) << "the first one still needs it";
  EXPECT_EQ(read_all(*db_, 0).size(), 3u);
}

TEST_F(DuplicationLog, IsGoneWhenItIsDroppedAndANewOneHasAnotherId) {
  ASSERT_EQ(db_->keep_log(), 0);
  const auto first = *db_->log_start();
  put_some(5);
  ASSERT_TRUE(db_->drop_log());
  ASSERT_TRUE(db_->drop_log());
  EXPECT_FALSE(db_->keeps_log());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "db.duplication_log"));
  EXPECT_EQ(entries_in_database(), 0u);
  EXPECT_FALSE(db_->log_start());
  put_some(1);
  ASSERT_EQ(db_->keep_log(), 6);
  EXPECT_NE(db_->log_start()->id, first.id);
  put_some(1);
  EXPECT_EQ(read_all(*db_, 6).size(), 1u);
  EXPECT_THAT(read_error(*db_, 5), HasSubstr("decrees 6 to 6 are not in it"));
}

TEST_F(DuplicationLog, BacklogIsExactAlsoAfterARestart) {
  ASSERT_EQ(db_->keep_log(), 0);
  std::mt19937_64 random(1);
  std::map<int64_t, int64_t> bytes;  // by decree
  for (int round = 0; round < 60; ++round) {
    if (random() % 6 == 0) reopen();
    const auto upto = int64_t(random() % uint64_t(db_->last_decree() + 1));
    ASSERT_TRUE(random() % 5 != 0 || db_->trim_log(upto));
    ASSERT_TRUE(random() % 5 != 0 || db_->flush());
    const auto number = db_->last_decree() + 1 + int64_t(random() % 3);
    const std::string body(random() % 50'000, 'v');
    ASSERT_TRUE(put_logged(*db_, number, body));
    bytes[number] = int64_t(body.size());
    const auto after = int64_t(random() % uint64_t(number + 2));
    const auto begin = bytes.upper_bound(std::max(after, db_->log_start()->begins_after));
    int64_t expected = 0;
    for (auto entry = begin; entry != bytes.end(); ++entry) expected += entry->second;
    const auto backlog = db_->log_backlog(after);
    ASSERT_TRUE(backlog) << backlog.error().to_string();
    EXPECT_EQ(backlog->mutations, std::distance(begin, bytes.end()));
    EXPECT_EQ(backlog->bytes, expected);
    EXPECT_EQ(backlog->oldest_timestamp_us, begin == bytes.end() ? 0 : kTimestamp + begin->first);
  }
}

// ---- damage ----

TEST_F(DuplicationLog, AHoleIsAnErrorThatNamesTheDecrees) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(10);
  remove_entries({4, 5});
  EXPECT_EQ(must_read(*db_, 0, 100).last_decree, 1) << "what is before it can be read";
  EXPECT_THAT(
      read_error(*db_, 0),
      HasSubstr("the entry of decree 6 follows that of decree 5, and the one before it is 3"));
  EXPECT_THAT(read_error(*db_, 3), HasSubstr("follows that of decree 5"));
  EXPECT_THAT(read_error(*db_, 4), HasSubstr("follows that of decree 5"));
  EXPECT_EQ(read_all(*db_, 5).size(), 5u);
  remove_entries({9, 10});
  EXPECT_THAT(read_error(*db_, 5), HasSubstr("decrees 9 to 10 are missing at its end"));
  EXPECT_THAT(read_error(*db_, 9), HasSubstr("decrees 10 to 10 are missing at its end"));
  EXPECT_THAT(read_error(*db_, 5), HasSubstr("add_dup -s"));
  EXPECT_THAT(read_error(*db_, 5), HasSubstr(folder_ / "db"));
}

TEST_F(DuplicationLog, ABadChecksumIsAnErrorThatNamesTheDecree) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(3);
  change([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
    std::string value;
    ASSERT_TRUE(db.Get({}, meta, entry_key(2), &value).ok());
    value.back() ^= 1;
    ASSERT_TRUE(db.Put({}, meta, entry_key(2), value).ok());
  });
  EXPECT_THAT(read_error(*db_, 0), HasSubstr("the entry of decree 2: its checksum is wrong"));
  EXPECT_EQ(read_all(*db_, 2).size(), 1u);
  EXPECT_EQ(db_->log_backlog(1).error().code(), Code::kCorrupt);
  ASSERT_TRUE(db_->trim_log(1)) << "it is still trimmed";
  ASSERT_TRUE(db_->drop_log()) << "and dropped";
}

TEST_F(DuplicationLog, WritesOfAProgramThatKeepsNoLogAreAHole) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(3);
  change([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db.Put({}, meta, kLastFlushedDecreeKey, "7").ok());
  });
  EXPECT_THAT(read_error(*db_, 3), HasSubstr("decrees 4 to 7 are not in it"));
  put_some(1);
  reopen();
  EXPECT_THAT(read_error(*db_, 8), HasSubstr("decrees 4 to 7 are not in it")) << "that stays so";
  ASSERT_TRUE(db_->drop_log());
  ASSERT_EQ(db_->keep_log(), 8);
  put_some(1);
  EXPECT_EQ(read_all(*db_, 8).size(), 1u) << "a new log is whole";
}

TEST_F(DuplicationLog, AStateThatIsNoneIsAnError) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(3);
  change([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db.Put({}, meta, kLogEndKey, "3 3 x").ok());
  });
  EXPECT_THAT(read_error(*db_, 0), HasSubstr("does not say where it ends"));
  change([](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* meta) {
    ASSERT_TRUE(db.Put({}, meta, kLogKey, "none").ok());
  });
  EXPECT_FALSE(db_->keeps_log());
  EXPECT_TRUE(has_row(*db_, 3));
}

// ---- other folders ----

TEST_F(DuplicationLog, IsDroppedInACopyOfTheFolder) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(5);
  ASSERT_EQ(db_->checkpoint(folder_ / "copy"), 5);
  std::vector<std::string> families;
  ASSERT_TRUE(rocksdb::DB::ListColumnFamilies({}, folder_ / "copy", &families).ok());
  EXPECT_THAT(families, ::testing::ElementsAre("default", kMetaFamily));
  {
    const auto copy = open({.path = folder_ / "copy", .create_if_missing = false});
    EXPECT_FALSE(copy->keeps_log());
    EXPECT_EQ(copy->last_decree(), 5);
    EXPECT_TRUE(has_row(*copy, 5));
    ASSERT_EQ(copy->keep_log(), 5);
    EXPECT_NE(copy->log_start()->id, db_->log_start()->id);
    EXPECT_THAT(read_error(*copy, 0), HasSubstr("decrees 1 to 5 are not in it"));
  }
  put_some(1);
  EXPECT_EQ(read_all(*db_, 0).size(), 6u) << "the partition's own is as it was";
}

TEST_F(DuplicationLog, OfAnotherPartitionIsNotTakenForThisOnes) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(5);
  ASSERT_TRUE(db_->checkpoint(folder_ / "copy"));
  const auto other = open({.path = folder_ / "other"});
  ASSERT_EQ(other->keep_log(), 0);
  ASSERT_TRUE(std::filesystem::exists(folder_ / "other.duplication_log"));
  std::filesystem::rename(folder_ / "other.duplication_log", folder_ / "copy.duplication_log");
  EXPECT_FALSE(open({.path = folder_ / "copy"})->keeps_log());
}

TEST_F(DuplicationLog, AnOlderCopyOfTheFolderIsSeenAndStaysSo) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(5);
  ASSERT_TRUE(db_->checkpoint(folder_ / "copy"));
  put_some(5);
  ASSERT_EQ(must_read(*db_, 0).last_decree, 10);
  db_.reset();
  std::filesystem::remove_all(folder_ / "db");
  std::filesystem::rename(folder_ / "copy", folder_ / "db");
  reopen();
  ASSERT_TRUE(db_->keeps_log());
  EXPECT_THAT(read_error(*db_, 10),
              HasSubstr("decree 10 has been shipped, and the last one here is 5"));
  put_some(7);
  EXPECT_THAT(read_error(*db_, 10), HasSubstr("decree 10 has been shipped"));
  reopen();
  EXPECT_THAT(read_error(*db_, 10), HasSubstr("decree 10 has been shipped"));
}

TEST_F(DuplicationLog, AnOlderCopyIsSeenAsItIsTrimmedAndStaysSo) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(5);
  const auto trimmed = db_->trim_log(10);
  ASSERT_FALSE(trimmed);
  EXPECT_EQ(trimmed.error().code(), Code::kCorrupt);
  EXPECT_THAT(trimmed.error().to_string(), HasSubstr("decree 10 has been shipped"));
  put_some(7);
  for (int round = 0; round < 2; ++round) {
    EXPECT_THAT(read_error(*db_, 10),
                HasSubstr("decree 10 has been shipped, and the last one here is 5"));
    reopen();
  }
}

TEST_F(DuplicationLog, IdsRise) {
  uint64_t last = 0;
  int64_t seconds = 1'800'000'000;
  for (const int64_t step : {0, 1, 0, -1'000, 5}) {
    seconds += step;
    db_.reset();
    db_ = open({.path = folder_ / "db", .unix_seconds = [&] { return seconds; }});
    ASSERT_TRUE(db_->keep_log());
    EXPECT_GT(db_->log_start()->id, last);
    last = db_->log_start()->id;
    ASSERT_TRUE(db_->drop_log());
  }
  db_.reset();
  std::filesystem::remove_all(folder_ / "db");
  seconds += 1'000;
  db_ = open({.path = folder_ / "db", .unix_seconds = [&] { return seconds; }});
  ASSERT_TRUE(db_->keep_log());
  EXPECT_GT(db_->log_start()->id, last) << "by the clock alone";
}

// ---- loads ----

class LoadWithLog : public DuplicationLog, public ::testing::WithParamInterface<bool> {};

TEST_P(LoadWithLog, RowsThatAreTakenInAreNotInTheLogWhichGoesOn) {
  behind_ = GetParam();
  db_.reset();
  std::filesystem::remove_all(folder_ / "db");
  reopen();
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(3);
  ASSERT_TRUE(db_->trim_log(1));
  rocksdb::SstFileWriter writer{rocksdb::EnvOptions(), rocksdb::Options()};
  ASSERT_TRUE(writer.Open(folder_ / "load.sst").ok());
  std::string value;
  record::append_value_header(value, 1, 0, 0);
  for (int row = 2; row < 5; ++row) ASSERT_TRUE(writer.Put(row_key(row), value + "loaded").ok());
  ASSERT_TRUE(writer.Finish().ok());
  const auto ingested = db_->ingest({folder_ / "load.sst"}, behind_, 100);
  ASSERT_TRUE(ingested) << ingested.error().to_string();
  put_some(2);
  const auto check = [&] {
    EXPECT_EQ(read_all(*db_, 1),
              (LogText{{2, "2|1:body2"}, {3, "3|1:body3"}, {4, "4|1:body4"}, {5, "5|1:body5"}}));
    EXPECT_EQ((*db_->get(row_key(2)))->user_data(), behind_ ? "v" : "loaded");
  };
  check();
  reopen();
  check();
  EXPECT_EQ(db_->last_load(), 100);
}

INSTANTIATE_TEST_SUITE_P(Both, LoadWithLog, ::testing::Bool());

// ---- trimming ----

TEST_F(DuplicationLog, BeginsBehindWhatWasTrimmed) {
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(10);
  const auto id = db_->log_start()->id;
  ASSERT_TRUE(db_->trim_log(4));
  ASSERT_TRUE(db_->trim_log(2)) << "a decree that was trimmed is no error";
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(db_->log_start()->begins_after, 4);
    EXPECT_EQ(db_->log_start()->id, id);
    EXPECT_THAT(read_error(*db_, 3), HasSubstr("decrees 4 to 4 are not in it"));
    EXPECT_EQ(read_all(*db_, 4).size(), 6u);
    reopen();
  }
  ASSERT_TRUE(db_->trim_log(10));
  EXPECT_EQ(read_all(*db_, 10).size(), 0u);
  put_some(1);
  EXPECT_EQ(read_all(*db_, 10).size(), 1u);
}

TEST_F(DuplicationLog, ALargeBacklogGivesItsSpaceBack) {
  const std::string body(1 << 20, 'v');
  ASSERT_EQ(db_->keep_log(), 0);
  put_some(200, body);
  ASSERT_TRUE(db_->flush());
  ASSERT_GT(db_->disk_bytes(), uint64_t{200} << 20);
  // In steps, as targets confirm it.
  for (int64_t decree = 1; decree < 200; decree += 7) ASSERT_TRUE(db_->trim_log(decree));
  EXPECT_LT(db_->disk_bytes(), uint64_t{72} << 20);
  EXPECT_EQ(read_all(*db_, 197).size(), 3u);
  put_some(80, body);
  ASSERT_TRUE(db_->flush());
  ASSERT_TRUE(db_->drop_log());
  ASSERT_TRUE(db_->reclaim_log());
  EXPECT_LT(db_->disk_bytes(), uint64_t{1} << 20);
  EXPECT_TRUE(has_row(*db_, 280));
}

// Ranges that were deleted gather nowhere, and what is read does not become slower by them.
TEST_F(DuplicationLog, ManyTrimsLeaveNearlyNothing) {
  const std::string body(10'000, 'v');
  ASSERT_EQ(db_->keep_log(), 0);
  for (int64_t number = 1; number <= 20'000; ++number) {
    ASSERT_TRUE(put_logged(*db_, number, body));
    ASSERT_TRUE(number % 3 != 0 || db_->trim_log(number - 2));
    ASSERT_TRUE(number % 1000 != 0 || must_read(*db_, number - 2).mutations.size() == 2);
  }
  EXPECT_LT(db_->disk_bytes(), uint64_t{80} << 20);
  ASSERT_TRUE(db_->compact());
  EXPECT_LT(db_->disk_bytes(), uint64_t{8} << 20);
  EXPECT_LE(entries_in_database(), 450u) << "of 4 MiB";
}

TEST_F(DuplicationLog, IsTrimmedAndReadBesideWrites) {
  constexpr int64_t kWrites = 4000;
  ASSERT_EQ(db_->keep_log(), 0);
  std::string problem;
  std::jthread reader([&] {
    int64_t after = 0;
    int64_t seen = 0;
    while (after < kWrites && problem.empty()) {
      const auto piece = db_->read_log(after, 20'000);
      const auto backlog = db_->log_backlog(after);
      if (!piece || !backlog) {
        problem = piece ? backlog.error().to_string() : piece.error().to_string();
        return;
      }
      for (const auto& mutation : piece->mutations)
        if (mutation.decree != ++seen) problem = "decree " + std::to_string(mutation.decree);
      after = piece->last_decree;
      if (const auto trimmed = db_->trim_log(after); !trimmed)
        problem = trimmed.error().to_string();
    }
    if (seen != kWrites) problem += "ended with " + std::to_string(seen);
  });
  put_some(kWrites, std::string(3000, 'v'));
  reader.join();
  EXPECT_EQ(problem, "");
  EXPECT_EQ(db_->log_backlog(0)->mutations, 0);
}

}  // namespace
}  // namespace pegmove::store
