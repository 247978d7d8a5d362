#include "runs/run_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace pegmove::runs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunView view_of_names(const std::string& name) {
  RunView view;
  view.run.id = "copy-20261122-1";
  view.run.from = view.run.to = view.run.table = view.run.to_table = name;
  view.run.rows = 1'000;
  return view;
}

size_t width_of(const std::string& text) {
  std::istringstream lines(text);
  size_t width = 0;
  for (std::string line; std::getline(lines, line);) width = std::max(width, line.size());
  return width;
}

TEST(RunTable, OneLongNameDoesNotMakeItWiderThanTheTerminal) {
  const std::vector views{view_of_names("t"), view_of_names(std::string(20, 'a') + "_the_end")};
  EXPECT_GT(width_of(table_of(views)), 140u);
  const auto text = table_of(views, 120);
  EXPECT_LE(width_of(text), 120u);
  EXPECT_THAT(text, HasSubstr("aa.."));
  EXPECT_THAT(text, HasSubstr("_end")) << "the beginning and the end of the name are kept";
  EXPECT_THAT(text, HasSubstr("copy-20261122-1  ")) << "ids are whole: they are typed";
}

TEST(RunTable, NamesThatFitAreWhole) {
  const std::vector views{view_of_names("a_table")};
  EXPECT_THAT(table_of(views, 110), Not(HasSubstr("..")));
  EXPECT_EQ(table_of(views, 110), table_of(views));
}

TEST(RunTable, NamesKeepEightCharactersOnANarrowTerminal) {
  const std::vector views{view_of_names("abcdefghijklmnop")};
  EXPECT_THAT(table_of(views, 20), HasSubstr("abc..nop"));
}

TEST(RunJson, StepsHaveWhatTheyHaveMade) {
  auto view = view_of_names("t");
  view.steps = {{.name = "verify-live", .product = R"({"certificate":"/c.json"})"},
                {.name = "cutover"}};
  const auto steps = to_detailed_json(view)["steps"];
  EXPECT_EQ(steps[0]["product"]["certificate"], "/c.json");
  EXPECT_TRUE(steps[1]["product"].is_null());
}

}  // namespace
}  // namespace pegmove::runs
