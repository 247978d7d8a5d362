#include "shell/tables.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

namespace pegmove::shell {
namespace {

Table values_table() {
  auto table = Table::with_values("tp1");
  table.add_value("row1", format_double(1.234));
  table.add_value("row22", "2345");
  return table;
}

Table columns_table() {
  auto table = Table::with_columns("tp2", {{"name"}, {"left"}, {"right", Align::kRight}});
  table.add_row({"row0", "a", "1"});
  table.add_row({"longer", "b", "123456"});
  return table;
}

// The lines below, blanks at their ends included, are what a real shell printed.
TEST(Table, PrintsValuesAsTheRealShell) {
  auto table = Table::with_values("general");
  table.add_value("app_name", "golden");
  table.add_value("app_id", "4");
  table.add_value("partition_count", "4");
  table.add_value("max_replica_count", "1");
  EXPECT_EQ(table.to_text(),
            "[general]\n"
            "app_name           : golden\n"
            "app_id             : 4     \n"
            "partition_count    : 4     \n"
            "max_replica_count  : 1     \n");
}

TEST(Table, PrintsLeftAlignedColumnsAsTheRealShell) {
  auto table = Table::with_columns("nodes", {{"node"}, {"primary"}, {"secondary"}, {"total"}});
  table.add_row({"localhost:34801", "4", "0", "4"});
  table.add_row({"", "4", "0", "4"});
  EXPECT_EQ(table.to_text(),
            "[nodes]\n"
            "node             primary  secondary  total  \n"
            "localhost:34801  4        0          4      \n"
            "                 4        0          4      \n");
}

TEST(Table, PrintsRightAlignedColumnsAsTheRealShell) {
  auto table = Table::with_columns("details", {{"address"},
                                               {"status"},
                                               {"replica_count", Align::kRight},
                                               {"primary_count", Align::kRight},
                                               {"secondary_count", Align::kRight}});
  table.add_row({"localhost:34801", "ALIVE", "24", "24", "0"});
  EXPECT_EQ(table.to_text(),
            "[details]\n"
            "address          status    replica_count  primary_count  secondary_count\n"
            "localhost:34801  ALIVE                24             24                0\n");
}

TEST(Table, CountsTheBytesOfAValueWithLineBreaksAsTheRealShell) {
  auto table = Table::with_values("cluster_info");
  table.add_value("meta_servers", "127.0.0.1:34601");
  table.add_value(
      "balance_operation_count",
      "{\n  \"copy_pri\": 0,\n  \"copy_sec\": 0,\n  \"move_pri\": 0,\n  \"total\": 0\n}");
  std::string padded = "127.0.0.1:34601";
  padded.resize(67, ' ');
  EXPECT_EQ(table.to_text(),
            "[cluster_info]\n"
            "meta_servers             : " +
                padded +
                "\n"
                "balance_operation_count  : {\n  \"copy_pri\": 0,\n  \"copy_sec\": 0,\n"
                "  \"move_pri\": 0,\n  \"total\": 0\n}\n");
}

TEST(Table, PrintsJsonInTheOrderOfInsertion) {
  EXPECT_EQ(values_table().to_json(),
            "{\n"
            "    \"tp1\": {\n"
            "        \"row1\": \"1.23\",\n"
            "        \"row22\": \"2345\"\n"
            "    }\n"
            "}\n");
  EXPECT_EQ(columns_table().to_json(),
            "{\n"
            "    \"tp2\": {\n"
            "        \"row0\": {\n"
            "            \"name\": \"row0\",\n"
            "            \"left\": \"a\",\n"
            "            \"right\": \"1\"\n"
            "        },\n"
            "        \"longer\": {\n"
            "            \"name\": \"longer\",\n"
            "            \"left\": \"b\",\n"
            "            \"right\": \"123456\"\n"
            "        }\n"
            "    }\n"
            "}\n");
}

TEST(Table, WithoutANameHasNoHeading) {
  auto table = Table::with_values("");
  table.add_value("row1", "1.23");
  EXPECT_EQ(table.to_text(), "row1  : 1.23\n");
  EXPECT_EQ(table.to_json(), "{\n    \"row1\": \"1.23\"\n}\n");
}

TEST(Table, OfValuesIsNotPrintedWhileEmpty) {
  auto table = Table::with_values("app_envs");
  EXPECT_EQ(table.to_text(), "");
  EXPECT_EQ(table.to_json(), "{}\n");
}

TEST(Table, WithColumnsPrintsItsHeadingWhileEmpty) {
  auto table = Table::with_columns("replicas", {{"pidx"}, {"ballot"}});
  EXPECT_EQ(table.to_text(), "[replicas]\npidx  ballot  \n");
  EXPECT_EQ(table.to_json(), "{\n    \"replicas\": {}\n}\n");
}

TEST(Table, EscapesJsonAndReplacesBytesThatAreNoUtf8) {
  auto table = Table::with_values("");
  table.add_value("a\"b", "\n\\\x01 \xff \xc3\xa9");
  EXPECT_EQ(table.to_json(), "{\n    \"a\\\"b\": \"\\n\\\\\\u0001 \xef\xbf\xbd \xc3\xa9\"\n}\n");
}

TEST(Table, KeepsRowsOfOneName) {
  auto table = Table::with_columns("t", {{"id"}});
  table.add_row({"1"});
  table.add_row({"1"});
  EXPECT_EQ(table.to_json(),
            "{\n    \"t\": {\n        \"1\": {\n            \"id\": \"1\"\n        },\n"
            "        \"1\": {\n            \"id\": \"1\"\n        }\n    }\n}\n");
}

TEST(Table, RefusesARowThatDoesNotFit) {
  auto columns = columns_table();
  EXPECT_THROW(columns.add_row({"a", "b"}), std::logic_error);
  EXPECT_THROW(columns.add_value("a", "b"), std::logic_error);
  auto values = values_table();
  EXPECT_THROW(values.add_row({"a", "b"}), std::logic_error);
}

TEST(TableSet, PrintsABlankLineAfterEveryTable) {
  TableSet tables;
  tables.add(values_table());
  tables.add(columns_table());
  EXPECT_EQ(tables.to_text(),
            "[tp1]\n"
            "row1   : 1.23\n"
            "row22  : 2345\n"
            "\n"
            "[tp2]\n"
            "name    left     right\n"
            "row0    a            1\n"
            "longer  b       123456\n"
            "\n");
}

TEST(TableSet, PrintsAllTablesInOneObject) {
  TableSet tables;
  tables.add(values_table());
  tables.add(Table::with_values("empty"));
  auto unnamed = Table::with_values("");
  unnamed.add_value("k", "v");
  tables.add(unnamed);
  EXPECT_EQ(tables.to_json(),
            "{\n"
            "    \"tp1\": {\n"
            "        \"row1\": \"1.23\",\n"
            "        \"row22\": \"2345\"\n"
            "    },\n"
            "    \"k\": \"v\"\n"
            "}\n");
}

TEST(TableSet, WithoutTablesIsEmpty) {
  EXPECT_EQ(TableSet().to_text(), "");
  EXPECT_EQ(TableSet().to_json(), "{}\n");
}

TEST(FormatDouble, RoundsToTheDecimals) {
  EXPECT_EQ(format_double(1.236), "1.24");
  EXPECT_EQ(format_double(-2), "-2.00");
  EXPECT_EQ(format_double(1.23456, 3), "1.235");
  EXPECT_EQ(format_double(2e-6), "0.00");
  EXPECT_EQ(format_double(std::numeric_limits<double>::max()).size(), 309u + 3);
}

TEST(FormatDouble, ShowsTinyNumbersAsZeroWithTwoDecimals) {
  EXPECT_EQ(format_double(0), "0.00");
  EXPECT_EQ(format_double(-1e-7, 3), "0.00");
}

}  // namespace
}  // namespace pegmove::shell
