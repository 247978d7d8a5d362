#include "service/settings.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "service/table_json.h"

namespace pegmove::service {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    settings.define({.section = "nfs",
                     .name = "rate",
                     .type = SettingType::kInt64,
                     .value = "7",
                     .description = "MB/s",
                     .is_mutable = true,
                     .is_acceptable = [](double value) { return value != 13; }});
    settings.define({.section = "nfs",
                     .name = "small",
                     .type = SettingType::kUint32,
                     .value = "1",
                     .is_mutable = true});
    settings.define(
        {.section = "core", .name = "fixed", .type = SettingType::kBool, .value = "TRUE"});
    settings.define({.section = "core",
                     .name = "text",
                     .type = SettingType::kString,
                     .value = "a",
                     .is_mutable = true});
  }
  std::string update(const std::string& name, std::string_view value) {
    auto refused = settings.update(name, value);
    return refused ? refused->description() : "ERR_OK";
  }
  Settings settings;
};

TEST_F(SettingsTest, UpdatesWhatIsMutableAndFits) {
  EXPECT_EQ(update("rate", "-5"), "ERR_OK");
  EXPECT_EQ(settings.integer("rate"), -5);
}

TEST_F(SettingsTest, RefusesInTheWordsOfPegasus) {
  EXPECT_EQ(update("none", "1"), "ERR_OBJECT_NOT_FOUND: none is not found");
  EXPECT_EQ(update("fixed", "false"), "ERR_INVALID_PARAMETERS: fixed is not mutable");
  EXPECT_EQ(update("text", "b"), "ERR_INVALID_PARAMETERS: string modifications are not supported");
  for (const char* bad : {"", "x", "1x", " 1", "1.5", "99999999999999999999"})
    EXPECT_EQ(update("rate", bad), std::string("ERR_INVALID_PARAMETERS: ") + bad + " is invalid");
  EXPECT_EQ(update("small", "-1"), "ERR_INVALID_PARAMETERS: -1 is invalid");
  EXPECT_EQ(update("small", "4294967296"), "ERR_INVALID_PARAMETERS: 4294967296 is invalid");
  EXPECT_EQ(update("rate", "13"), "ERR_INVALID_PARAMETERS: value validation failed");
  EXPECT_EQ(settings.integer("rate"), 7);
}

TEST_F(SettingsTest, ServersMaySetWhatIsNotMutable) {
  EXPECT_TRUE(settings.set("fixed", "False"));
  EXPECT_FALSE(settings.boolean("fixed"));
  EXPECT_FALSE(settings.set("fixed", "0"));
  EXPECT_FALSE(settings.set("rate", "13"));
}

TEST_F(SettingsTest, ShowsThemselvesAsPegasusDoes) {
  EXPECT_EQ(settings.to_json("rate"),
            R"({"name":"rate","section":"nfs","type":"FV_INT64","tags":"flag_tag::FT_MUTABLE",)"
            R"("description":"MB/s","value":"7"})");
  EXPECT_EQ(settings.to_json("none"), std::nullopt);
  EXPECT_TRUE(settings.to_json().starts_with(R"({"fixed":{"name":"fixed","section":"core",)"));
  EXPECT_TRUE(
      settings.to_ini().starts_with("[core]\n; \nfixed = true\n\n; \ntext = a\n\n\n[nfs]\n"));
}

TEST_F(SettingsTest, ADefectOfTheCallerThrows) {
  EXPECT_THROW(settings.define({.name = "rate", .value = "1"}), std::logic_error);
  EXPECT_THROW(settings.define({.name = "new", .value = "x"}), std::logic_error);
  EXPECT_THROW((void)settings.integer("none"), std::logic_error);
  EXPECT_THROW((void)settings.integer("text"), std::logic_error);
}

TEST(TableJson, WritesTablesRowsAndValues) {
  TableJson json;
  json.begin_table("nodes").row({"node", "total"}, {"a:1", "2"}).row({"node", "total"}, {"", "2"});
  json.end_table().value("quote\"", "\xff").begin_table("empty").end_table();
  EXPECT_EQ(std::move(json).take(),
            R"({"nodes":{"a:1":{"node":"a:1","total":"2"},"":{"node":"","total":"2"}},)"
            "\"quote\\\"\":\"\xEF\xBF\xBD\",\"empty\":{}}");
}

}  // namespace
}  // namespace pegmove::service
