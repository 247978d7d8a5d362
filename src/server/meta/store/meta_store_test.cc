// What a MetaStore keeps through power cuts, kills and failed writes, and what it costs.
#include "server/meta/store/meta_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "testing/test_folder.h"

#include "server/meta/store/meta_log.h"
#include "server/meta/store/sim_files_test.h"

namespace pegmove::server::meta {
namespace {

using ::testing::HasSubstr;

constexpr const char* kFolder = "/disk";
constexpr const char* kFile = "/disk/meta_store";

std::unique_ptr<MetaStore> open_on(SimDisk& disk, MetaStoreOptions options = {}) {
  auto store = MetaStore::open(kFolder, disk.files(), options);
  if (!store) throw std::runtime_error(store.error().to_string());
  return std::move(*store);
}

MetaBatch put(const std::string& path, const std::string& value) {
  MetaBatch batch;
  batch.put(path, value);
  return batch;
}

TEST(MetaStore, AnswersWhatWasCommittedLast) {
  SimDisk disk;
  const auto store = open_on(disk);
  MetaBatch batch;
  batch.put("/apps/1", "a");
  batch.put("/apps/1/0", "x");
  batch.put("/apps/1/1", "");
  batch.put("/apps/10", "b");
  ASSERT_TRUE(store->commit(batch));
  ASSERT_TRUE(store->commit(put("/apps/10", "c")));
  const MetaValues expected{
      {"/apps/1", "a"}, {"/apps/1/0", "x"}, {"/apps/1/1", ""}, {"/apps/10", "c"}};
  EXPECT_EQ(store->values(), expected);
  EXPECT_EQ(open_on(disk)->values(), expected);
}

TEST(MetaStore, RemovesAValueWithAllBelowIt) {
  SimDisk disk;
  const auto store = open_on(disk);
  for (const char* path :
       {"/apps/1", "/apps/1/0", "/apps/1/1/2", "/apps/10", "/apps/1.", "/apps/2"})
    ASSERT_TRUE(store->commit(put(path, "v")));
  MetaBatch batch;
  batch.remove("/apps/1");
  batch.put("/apps/1/5", "new");
  ASSERT_TRUE(store->commit(batch));
  const MetaValues expected{
      {"/apps/1.", "v"}, {"/apps/1/5", "new"}, {"/apps/10", "v"}, {"/apps/2", "v"}};
  EXPECT_EQ(store->values(), expected);
  EXPECT_EQ(open_on(disk)->values(), expected);
}

// Random batches; at each moment of each write the power is cut in every way. Small files are
// rewritten every few commits.
TEST(MetaStore, KeepsCommittedBatchesWholeWhereverThePowerIsCut) {
  std::mt19937 random(5);
  SimDisk disk;
  MetaValues before, after;
  int cuts = 0;
  disk.on_write = [&] {
    for (const auto& left : disk.after_power_cut(kFile)) {
      SimDisk other = left ? SimDisk(kFile, *left) : SimDisk();
      const auto found = open_on(other)->values();
      EXPECT_TRUE(found == before || found == after);
      ++cuts;
    }
  };
  auto store = open_on(disk, {.growth = 300});
  for (int round = 0; round < 120; ++round) {
    MetaBatch batch;
    for (size_t changes = 1 + random() % 4; changes > 0; --changes) {
      const auto path = path_of("/apps", random() % 6);
      if (random() % 4 == 0)
        batch.remove(path);
      else
        batch.put(random() % 2 ? path : path_of(path, random() % 3),
                  std::string(random() % 20, 'v'));
    }
    batch.apply_to(after);
    ASSERT_TRUE(store->commit(batch));
    before = after;
    for (const auto& left : disk.after_power_cut(kFile)) {
      ASSERT_TRUE(left);
      SimDisk other(kFile, *left);
      ASSERT_EQ(open_on(other)->values(), after) << "what was answered is there";
    }
    if (round % 40 == 39) store = open_on(disk, {.growth = 300});
  }
  EXPECT_GT(cuts, 10'000);
}

TEST(MetaStore, GoesOnBehindARecordThatWasCutOff) {
  SimDisk disk;
  const auto store = open_on(disk);
  ASSERT_TRUE(store->commit(put("/apps/1", "a")));
  ASSERT_TRUE(store->commit(put("/apps/2", "b")));
  const auto whole = disk.read(kFile);
  SimDisk cut(kFile, whole.substr(0, whole.size() - 1));
  const auto again = open_on(cut);
  EXPECT_EQ(again->values(), (MetaValues{{"/apps/1", "a"}}));
  ASSERT_TRUE(again->commit(put("/apps/3", "c")));
  ASSERT_TRUE(again->commit(put("/apps/4", "d")));
  EXPECT_EQ(open_on(cut)->values(),
            (MetaValues{{"/apps/1", "a"}, {"/apps/3", "c"}, {"/apps/4", "d"}}));
}

TEST(MetaStore, NamesTheFileAndTheByteThatIsDamaged) {
  SimDisk disk;
  const auto store = open_on(disk);
  ASSERT_TRUE(store->commit(put("/apps/1", "first")));  // of the file that was renamed into place
  const auto named = disk.read(kFile).size();
  ASSERT_TRUE(store->commit(put("/apps/2", "second")));
  const auto last = disk.read(kFile).size();
  ASSERT_TRUE(store->commit(put("/apps/3", "third")));
  const auto whole = disk.read(kFile);
  for (size_t at = 0; at < last; ++at) {
    auto bytes = whole;
    bytes[at] = char(bytes[at] ^ 0x40);
    const auto opened = MetaStore::open(kFolder, SimDisk(kFile, bytes).files());
    ASSERT_FALSE(opened) << at;
    const auto error = opened.error().to_string();
    EXPECT_THAT(error, HasSubstr(kFile));
    if (opened.error().code() == Code::kUnsupported) continue;
    EXPECT_EQ(opened.error().code(), Code::kCorrupt);
    const auto record = at < 33 ? 0 : at < named ? 33 : named;
    EXPECT_THAT(error, HasSubstr("damaged at byte " + std::to_string(record) + ":"));
  }
  for (size_t size = 0; size < named; ++size)
    EXPECT_FALSE(MetaStore::open(kFolder, SimDisk(kFile, whole.substr(0, size)).files())) << size;
}

TEST(MetaStore, RefusesALaterFormat) {
  const auto opened =
      MetaStore::open(kFolder, SimDisk(kFile, "pegmove meta store 2\nand more").files());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kUnsupported);
}

TEST(MetaStore, SyncsOnceForWhatWaitsTogether) {
  SimDisk disk;
  const auto store = open_on(disk);
  ASSERT_TRUE(store->commit(put("/apps/0", "v")));
  disk.syncs = 0;
  MetaStore::Ticket last;
  disk.on_write = [&] {  // while the first commit is being written
    if (!last)
      for (int i = 0; i < 1000; ++i) last = store->add(put(path_of("/bulk_load/1", i), "v"));
  };
  ASSERT_TRUE(store->commit(put("/apps/1", "v")));
  EXPECT_EQ(disk.syncs, 1);
  ASSERT_TRUE(store->flush(last));
  EXPECT_EQ(disk.syncs, 2);
  ASSERT_TRUE(store->flush(last));
  EXPECT_EQ(disk.syncs, 2) << "it is there";
  EXPECT_EQ(open_on(disk)->values().size(), 1002u);
}

TEST(MetaStore, KeepsTheOrderInWhichBatchesAreAdded) {
  SimDisk disk;
  const auto store = open_on(disk);
  const auto first = store->add(put("/apps/1", "old"));
  ASSERT_TRUE(store->commit(put("/apps/1", "new")));
  ASSERT_TRUE(store->flush(first));
  EXPECT_EQ(open_on(disk)->values().at("/apps/1"), "new");
}

TEST(MetaStore, ForgetsWhatCouldNotBeWrittenAndGoesOn) {
  SimDisk disk;
  const auto store = open_on(disk);
  ASSERT_TRUE(store->commit(put("/apps/1", "a")));
  disk.fails = true;
  EXPECT_EQ(store->commit(put("/apps/2", "lost")).error().code(), Code::kIo);
  EXPECT_THAT(store->commit(put("/apps/3", "lost")).error().to_string(), HasSubstr(kFile));
  disk.fails = false;
  EXPECT_EQ(open_on(disk)->values(), (MetaValues{{"/apps/1", "a"}}));
  ASSERT_TRUE(store->commit(put("/apps/4", "b")));
  ASSERT_TRUE(store->commit(put("/apps/5", "c")));
  EXPECT_EQ(open_on(disk)->values(),
            (MetaValues{{"/apps/1", "a"}, {"/apps/4", "b"}, {"/apps/5", "c"}}));
}

TEST(MetaStore, RefusesABatchThatIsTooLargeAndTakesMany) {
  SimDisk disk;
  const auto store = open_on(disk);
  EXPECT_EQ(store->commit(put("/apps/1", std::string(kMostRecordBytes, 'x'))).error().code(),
            Code::kTooLarge);
  const std::string large(kMostRecordBytes / 2, 'x');
  store->add(put("/apps/2", large));
  store->add(put("/apps/3", large));
  ASSERT_TRUE(store->commit(put("/apps/4", "small")));
  EXPECT_EQ(store->values().size(), 3u);
  EXPECT_TRUE(open_on(disk)->values() == store->values());
}

TEST(MetaStore, StaysAFewTimesAsLargeAsItsValues) {
  SimDisk disk;
  const auto store = open_on(disk, {.growth = 1000});
  size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(store->commit(put("/apps/1", std::to_string(i))));
    most = std::max(most, disk.read(kFile).size());
  }
  EXPECT_LT(most, 1200u);
  EXPECT_EQ(open_on(disk)->values().at("/apps/1"), "999");
}

TEST(MetaStore, TakesBatchesFromManyThreads) {
  const testing::TestFolder folder;
  auto store = MetaStore::open(folder.path(), make_local_files());
  ASSERT_TRUE(store);
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 4; ++thread)
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 50; ++i)
          EXPECT_TRUE((*store)->commit(put(path_of("/apps", thread, i), std::to_string(i))));
      });
  }
  EXPECT_EQ((*store)->values().size(), 200u);
  EXPECT_EQ((*MetaStore::open(folder.path(), make_local_files()))->values(), (*store)->values());
}

TEST(MetaValues, KnowTheirChildren) {
  const MetaValues values{{"/apps", "root"}, {"/apps/1", "a"}, {"/apps/1/0", "x"},
                          {"/apps/10", "b"}, {"/apps0", "no"}, {"/b/x", "c"}};
  EXPECT_EQ(children_of(values, "/apps"),
            (std::map<std::string, std::string_view>{{"1", "a"}, {"10", "b"}}));
  EXPECT_EQ(*numbered_children_of(values, "/apps"),
            (std::map<int64_t, std::string_view>{{1, "a"}, {10, "b"}}));
  for (const auto* name : {"x", "01", "-1", "99999999999999999999", ""})
    EXPECT_FALSE(numbered_children_of({{path_of("/apps", name), ""}}, "/apps")) << name;
}

}  // namespace
}  // namespace pegmove::server::meta
