#include "server/meta/catalog/app_env_update.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "meta_types.h"

namespace pegmove::server::meta {
namespace {

using wire::ErrorCode;
using Envs = std::map<std::string, std::string>;

wire::configuration_update_app_env_request set_request(std::vector<std::string> keys,
                                                       std::vector<std::string> values) {
  wire::configuration_update_app_env_request request;
  request.op = wire::app_env_operation::APP_ENV_OP_SET;
  request.__set_keys(keys);
  request.__set_values(values);
  return request;
}

wire::configuration_update_app_env_request delete_request(std::vector<std::string> keys) {
  wire::configuration_update_app_env_request request;
  request.op = wire::app_env_operation::APP_ENV_OP_DEL;
  request.__set_keys(keys);
  return request;
}

wire::configuration_update_app_env_request clear_request(const std::string& prefix) {
  wire::configuration_update_app_env_request request;
  request.op = wire::app_env_operation::APP_ENV_OP_CLEAR;
  request.__set_clear_prefix(prefix);
  return request;
}

void expect_refused(const wire::configuration_update_app_env_request& request,
                    const std::string& hint) {
  const Envs envs = {{"business.info", "x"}};
  const auto update = plan_env_update(request, &envs);
  EXPECT_EQ(update.response.err.code, ErrorCode::kInvalidParameters);
  EXPECT_EQ(update.response.hint_message, hint);
  EXPECT_FALSE(update.envs);
}

TEST(PlanEnvUpdate, SetsAndOverwrites) {
  const Envs envs = {{"business.info", "x"}, {"default_ttl", "1"}};
  const auto update =
      plan_env_update(set_request({"default_ttl", "rocksdb.num_levels"}, {"2", "6"}), &envs);
  EXPECT_EQ(update.response.err.code, ErrorCode::kOk);
  EXPECT_EQ(update.response.hint_message, "");
  EXPECT_EQ(update.envs,
            (Envs{{"business.info", "x"}, {"default_ttl", "2"}, {"rocksdb.num_levels", "6"}}));
}

TEST(PlanEnvUpdate, SetsNothingWhenOnePairIsRefused) {
  expect_refused(set_request({"default_ttl", "replica.slow_query_threshold"}, {"1", "5"}),
                 "invalid value '5', should be '>= 20'");
  expect_refused(set_request({"no.such.env"}, {"1"}), "app_env 'no.such.env' is not supported");
}

TEST(PlanEnvUpdate, RefusesMalformedRequestsWithoutAHint) {
  expect_refused(set_request({}, {}), "");
  expect_refused(set_request({"default_ttl"}, {}), "");
  expect_refused(delete_request({}), "");
  wire::configuration_update_app_env_request request;
  expect_refused(request, "");
  request.op = wire::app_env_operation::APP_ENV_OP_CLEAR;
  expect_refused(request, "");
}

TEST(PlanEnvUpdate, RefusesEnvsThatAreTooBigOrNoText) {
  expect_refused(set_request({"business.info"}, {"\xFF"}),
                 "app_env 'business.info' and its value should be UTF-8");
  expect_refused(set_request({"business.info"}, {std::string(kMaxEnvsSize, 'x')}),
                 "the app envs have 1048589 bytes and a table may have 1048576");
}

TEST(PlanEnvUpdate, ChecksValuesBeforeItMissesTheTable) {
  for (const auto& request :
       {set_request({"default_ttl"}, {"1"}), delete_request({"a"}), clear_request("")}) {
    const auto update = plan_env_update(request, nullptr);
    EXPECT_EQ(update.response.err.code, ErrorCode::kAppNotExist);
    EXPECT_EQ(update.response.hint_message, "app cannot be found");
    EXPECT_FALSE(update.envs);
  }
  const auto bad = plan_env_update(set_request({"default_ttl"}, {"x"}), nullptr);
  EXPECT_EQ(bad.response.err.code, ErrorCode::kInvalidParameters);
}

TEST(PlanEnvUpdate, DeletesInTheOrderOfTheRequest) {
  const Envs envs = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  const auto update = plan_env_update(delete_request({"c", "not.there", "a", "c"}), &envs);
  EXPECT_EQ(update.response.err.code, ErrorCode::kOk);
  EXPECT_EQ(update.response.hint_message, "deleted keys:\n    c\n    a");
  EXPECT_EQ(update.envs, (Envs{{"b", "2"}}));
}

TEST(PlanEnvUpdate, TellsWhenThereIsNothingToDelete) {
  const Envs envs = {{"a", "1"}};
  const Envs none;
  for (const auto& update :
       {plan_env_update(delete_request({"b"}), &envs), plan_env_update(clear_request("b"), &envs),
        plan_env_update(clear_request(""), &none)}) {
    EXPECT_EQ(update.response.err.code, ErrorCode::kOk);
    EXPECT_EQ(update.response.hint_message, "no key needs to be deleted");
    EXPECT_FALSE(update.envs);
  }
}

TEST(PlanEnvUpdate, ClearsWhatIsUnderAPrefix) {
  const Envs envs = {{"a", "1"}, {"a.", "2"}, {"a.b", "3"}, {"a.c.d", "4"}, {"ab.c", "5"}};
  const auto some = plan_env_update(clear_request("a"), &envs);
  EXPECT_EQ(some.response.hint_message, "deleted keys:\n    a.b\n    a.c.d");
  EXPECT_EQ(some.envs, (Envs{{"a", "1"}, {"a.", "2"}, {"ab.c", "5"}}));
  const auto all = plan_env_update(clear_request(""), &*some.envs);
  EXPECT_EQ(all.response.hint_message, "deleted keys:\n    a\n    a.\n    ab.c");
  EXPECT_EQ(all.envs, Envs{});
}

}  // namespace
}  // namespace pegmove::server::meta
