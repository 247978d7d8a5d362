#include "base/json_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>

namespace pegmove::base {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::Pair;
using namespace std::chrono_literals;

constexpr const char* kDocument = "the journal's options of a copy";

class JsonFieldsTest : public ::testing::Test {
 protected:
  // The fields of a text, whose JSON stays alive.
  JsonFields fields(const char* text) {
    object_ = json::parse(text, nullptr, false);
    return JsonFields::of(object_, kDocument).value();
  }
  template <typename T>
  static std::string error_of(const Result<T>& result) {
    if (result) return "no error";
    EXPECT_EQ(result.error().code(), Code::kCorrupt);
    return result.error().to_string();
  }

  json object_;
};

TEST_F(JsonFieldsTest, ReadsEachKind) {
  const auto in = fields(R"({"i":-3,"u":18446744073709551615,"d":0.5,"b":true,"t":"text",
    "c":"gAE=","n":"two","ts":["a","b"],"is":[1,2],"m":{"k":"v"},"o":{"i":7},
    "os":[{"i":1},{"i":2}]})");
  EXPECT_EQ(in.integer("i", -3, -3).value(), -3);
  EXPECT_EQ(in.int32("i", INT32_MIN, INT32_MAX).value(), -3);
  EXPECT_EQ(in.unsigned_integer("u").value(), UINT64_MAX);
  EXPECT_EQ(in.number("d", 0, 1).value(), 0.5);
  EXPECT_TRUE(in.boolean("b").value());
  EXPECT_EQ(in.text("t").value(), "text");
  EXPECT_EQ(in.base64("c").value(), "\x80\x01");
  constexpr std::string_view kNames[] = {"one", "two"};
  EXPECT_EQ(in.choice("n", kNames).value(), 1u);
  EXPECT_THAT(in.texts("ts").value(), ElementsAre("a", "b"));
  EXPECT_THAT(in.integers("is", 1, 2).value(), ElementsAre(1, 2));
  EXPECT_THAT(in.text_map("m").value(), ElementsAre(Pair("k", "v")));
  EXPECT_EQ(in.object("o").value().integer("i", 0, 9).value(), 7);
  EXPECT_EQ(in.objects("os").value().at(1).integer("i", 0, 9).value(), 2);
  EXPECT_EQ(*in.any("i").value(), -3);
}

TEST_F(JsonFieldsTest, AnErrorNamesTheDocumentTheFieldAndWhatItMustBe) {
  const auto in = fields(R"({"timeout_ms":-1,"t":5,"b":"true","l":[1,"a"],"n":"three"})");
  EXPECT_EQ(error_of(in.integer("timeout_ms", 0, 5000)),
            "the journal's options of a copy: 'timeout_ms' must be an integer from 0 to 5000");
  EXPECT_EQ(error_of(in.text("none")),
            "the journal's options of a copy: 'none' is missing; it must be a string");
  EXPECT_EQ(error_of(in.text("t")), std::string(kDocument) + ": 't' must be a string");
  EXPECT_EQ(error_of(in.boolean("b")), std::string(kDocument) + ": 'b' must be true or false");
  EXPECT_EQ(error_of(in.texts("l")), std::string(kDocument) + ": 'l' must be a list of strings");
  EXPECT_EQ(error_of(in.integers("l", 0, 9)),
            std::string(kDocument) + ": 'l' must be a list of integers from 0 to 9");
  constexpr std::string_view kNames[] = {"one", "two"};
  EXPECT_EQ(error_of(in.choice("n", kNames)),
            std::string(kDocument) + ": 'n' must be one of one, two");
  EXPECT_EQ(error_of(in.any("none")), std::string(kDocument) + ": 'none' is missing");
}

TEST_F(JsonFieldsTest, AnErrorInANestedObjectNamesThePathToIt) {
  const auto in = fields(R"({"files":[{"size":1},{"size":-1}],"rules":{"geo":{"level":"x"}},
                             "envs":{"a":1}})");
  const auto files = in.objects("files").value();
  EXPECT_TRUE(files[0].integer("size", 0, 9));
  EXPECT_EQ(error_of(files[1].integer("size", 0, 9)),
            std::string(kDocument) + ": 'files[1].size' must be an integer from 0 to 9");
  const auto geo = in.object("rules").value().object("geo").value();
  EXPECT_EQ(error_of(geo.integer("level", 0, 9)),
            std::string(kDocument) + ": 'rules.geo.level' must be an integer from 0 to 9");
  EXPECT_EQ(error_of(geo.object("none")),
            std::string(kDocument) + ": 'rules.geo.none' is missing; it must be an object");
  EXPECT_EQ(error_of(Result<int>(files[1].wrong("the size is wrong"))),
            std::string(kDocument) + ": 'files[1]': the size is wrong");
  EXPECT_EQ(error_of(Result<int>(in.wrong("it is empty"))),
            std::string(kDocument) + ": it is empty");
  EXPECT_EQ(error_of(in.text_map("envs")), std::string(kDocument) + ": 'envs.a' must be a string");
}

TEST_F(JsonFieldsTest, IntegersAreComparedAsWhatTheyAre) {
  const auto in = fields(R"({"large":18446744073709551615,"most":9223372036854775807,
    "least":-9223372036854775808,"fraction":1.0,"beyond":1e30,"small":3})");
  EXPECT_FALSE(in.integer("large", INT64_MIN, INT64_MAX));
  EXPECT_FALSE(in.integer("large", -5, -1));
  EXPECT_EQ(in.integer("most", 0, INT64_MAX).value(), INT64_MAX);
  EXPECT_EQ(in.integer("least", INT64_MIN, 0).value(), INT64_MIN);
  EXPECT_FALSE(in.integer("fraction", 0, 9));
  EXPECT_FALSE(in.integer("beyond", 0, INT64_MAX));
  EXPECT_FALSE(in.integer("small", -9, -1));
  EXPECT_FALSE(in.integer("small", 4, 9));
  EXPECT_FALSE(in.integer("small", 0, 2));
  EXPECT_FALSE(in.unsigned_integer("least"));
}

TEST_F(JsonFieldsTest, MillisecondsFitTheClock) {
  const auto in = fields(R"({"a":1500,"b":9223372036854775807,"c":-1})");
  EXPECT_EQ(in.milliseconds("a").value(), 1500ms);
  EXPECT_FALSE(in.milliseconds("b"));
  EXPECT_FALSE(in.milliseconds("c"));
}

TEST_F(JsonFieldsTest, WhatIsReadWithAnOtherwiseMayBeMissingButNotWrong) {
  const auto in = fields(R"({"i":5,"t":5,"b":5})");
  EXPECT_EQ(in.integer("none", 0, 1, 42).value(), 42);
  EXPECT_EQ(in.text("none", "otherwise").value(), "otherwise");
  EXPECT_TRUE(in.boolean("none", true).value());
  EXPECT_FALSE(in.integer("i", 0, 1, 42));
  EXPECT_FALSE(in.text("t", ""));
  EXPECT_FALSE(in.boolean("b", true));
}

TEST_F(JsonFieldsTest, BytesAreTextOrBase64) {
  const auto in = fields(R"({"a":"x","b_b64":"gAE=","c":"x","c_b64":"gAE=","d_b64":"?"})");
  EXPECT_EQ(in.text_or_base64("a").value(), "x");
  EXPECT_EQ(in.text_or_base64("b").value(), "\x80\x01");
  for (const char* name : {"c", "none"})
    EXPECT_EQ(error_of(in.text_or_base64(name)), std::string(kDocument) + ": one of '" + name +
                                                     "' and '" + name + "_b64' must be present");
  EXPECT_EQ(error_of(in.text_or_base64("d")),
            std::string(kDocument) + ": 'd_b64' must be a base64 string");
}

TEST_F(JsonFieldsTest, OtherFieldsThanTheKnownOnesAreNamed) {
  const auto in = fields("{\"a\":1,\"b\\n\":2}");
  EXPECT_TRUE(in.only({"a", "b\n", "c"}));
  EXPECT_EQ(error_of(in.only({"a", "c"})), std::string(kDocument) + ": 'b\\x0A' is not known");
}

TEST_F(JsonFieldsTest, TheNumberOfFieldsCanBeAskedFor) {
  const auto in = fields(R"({"a":1,"b":{}})");
  EXPECT_TRUE(in.exactly(2));
  EXPECT_EQ(error_of(in.exactly(1)), std::string(kDocument) + ": it has 2 fields instead of 1");
  EXPECT_EQ(error_of(in.object("b").value().exactly(3)),
            std::string(kDocument) + ": 'b': it has 0 fields instead of 3");
}

TEST_F(JsonFieldsTest, WhatIsNoObjectIsRefused) {
  for (const char* text : {"[]", "5", "{\"a\":", "", "null"}) {
    const auto parsed = json::parse(text, nullptr, false);
    EXPECT_EQ(error_of(JsonFields::of(parsed, kDocument)),
              std::string(kDocument) + ": it is not a JSON object");
  }
}

TEST_F(JsonFieldsTest, ErrorsHaveTheCodeThatIsGiven) {
  const auto object = json::parse(R"({"o":{}})");
  const auto in = JsonFields::of(object, "it", Code::kInvalidArgument).value();
  EXPECT_EQ(in.object("o").value().text("none").error().code(), Code::kInvalidArgument);
  EXPECT_EQ(JsonFields::of(json(5), "it", Code::kInvalidArgument).error().code(),
            Code::kInvalidArgument);
}

TEST_F(JsonFieldsTest, OrderedObjectsAreReadToo) {
  const auto object = nlohmann::ordered_json::parse(R"({"z":{"a":1}})");
  const auto in = OrderedJsonFields::of(object, "it").value().object("z").value();
  EXPECT_EQ(in.integer("a", 0, 1).value(), 1);
}

TEST_F(JsonFieldsTest, LenientlyWhatIsNotRightIsNotThere) {
  const auto in = json::parse(R"({"t":"x","i":-7,"large":18446744073709551615,"n":null})");
  EXPECT_EQ(text_in(in, "t"), "x");
  EXPECT_EQ(text_in(in, "i"), "");
  EXPECT_EQ(text_in(in, "none"), "");
  EXPECT_EQ(number_in(in, "i"), -7);
  EXPECT_EQ(number_in(in, "large"), -1);
  EXPECT_EQ(number_in(in, "n"), -1);
  EXPECT_EQ(number_in(in, "none"), -1);
}

}  // namespace
}  // namespace pegmove::base
