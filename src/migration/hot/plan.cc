#include "migration/hot/plan.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "base/json_fields.h"
#include "base/json_text.h"

namespace pegmove::migration::hot {
namespace {

// A node may have been written by hand, with other addresses of the same cluster. Names decide
// then, if they can: two clusters may have the same one.
bool route_is_of(const routes::Route& found, const routes::Route& wanted,
                 const routes::Route& other) {
  if (found == wanted) return true;
  return found != other && found.cluster == wanted.cluster && found.cluster != other.cluster;
}

}  // namespace

NodeNames names_in(const std::optional<routes::Node>& node, const CutoverPlan& plan) {
  if (!node) return NodeNames::kElse;
  const auto route = routes::parse_route(node->data);
  if (!route) return NodeNames::kElse;
  if (route_is_of(*route, plan.to, plan.from)) return NodeNames::kTarget;
  return route_is_of(*route, plan.from, plan.to) ? NodeNames::kSource : NodeNames::kElse;
}

std::string to_json(const CutoverBefore& before) {
  return base::json_text(nlohmann::json{
      {"version", before.version}, {"text", before.text}, {"began_ms", before.began_ms}});
}

Result<CutoverBefore> cutover_before_from_json(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  const auto in = TRY(base::JsonFields::of(json, "the journal's begin of a cutover"));
  return CutoverBefore{
      .version = TRY(in.int32("version", 0, std::numeric_limits<int32_t>::max())),
      .text = TRY(in.text("text")),
      .began_ms = TRY(in.integer("began_ms", 0, std::numeric_limits<int64_t>::max()))};
}

}  // namespace pegmove::migration::hot
