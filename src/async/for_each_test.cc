#include "async/for_each.h"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "async/run.h"

namespace pegmove::async {
namespace {

// Each yields to the others once, so that all that may run at once do.
struct Steps {
  std::vector<size_t> begun{};
  size_t under_way = 0;
  size_t most_under_way = 0;
  size_t wrong = SIZE_MAX;  // this one fails

  Task<> run(size_t index) {
    begun.push_back(index);
    most_under_way = std::max(most_under_way, ++under_way);
    co_await asio::post(asio::use_awaitable);  // no result; the others' turn
    --under_way;
    if (index == wrong) co_return fail(Code::kInternal, "number " + std::to_string(index));
    co_return Result<void>();
  }
  Result<void> run_all(size_t count, size_t at_once) {
    asio::io_context context;
    return run_to_end(context, for_each(count, at_once, [this](size_t i) { return run(i); }));
  }
};

TEST(ForEach, DoesAllInOrderAndSoManyAtOnce) {
  for (size_t at_once : {1, 3, 10, 99}) {
    Steps steps;
    EXPECT_TRUE(steps.run_all(10, at_once));
    std::vector<size_t> all(10);
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    EXPECT_EQ(steps.begun, all);
    EXPECT_EQ(steps.most_under_way, std::min<size_t>(at_once, 10));
  }
}

TEST(ForEach, NothingToDoIsDoneAndNoneAtOnceCountsAsOne) {
  Steps steps;
  EXPECT_TRUE(steps.run_all(0, 5));
  EXPECT_TRUE(steps.run_all(3, 0));
  EXPECT_EQ(steps.most_under_way, 1u);
}

TEST(ForEach, NoneIsBegunAfterAnError) {
  Steps steps{.wrong = 1};
  auto done = steps.run_all(100, 2);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message(), "number 1");
  EXPECT_LE(steps.begun.size(), 4u);
  EXPECT_EQ(steps.under_way, 0u);
}

}  // namespace
}  // namespace pegmove::async
