#include "migration/hot/hot.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "async/task_group.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include "base/units.h"

namespace pegmove::migration::hot {

using async::milliseconds;
using journal::StepRecord;
using runs::StepContext;
using runs::StepKind;

namespace {
// Of the files for the target, below their path, which only the run uses.
constexpr const char* kFilesFolder = "target";

runs::Step duplicate_step(HotMigration& hot);
runs::Step catch_up_step(HotMigration& hot);
runs::Step one_by_one_step(HotMigration& hot);
runs::Step verify_step(HotMigration& hot);
runs::Step touch_step(HotMigration& hot);
runs::Step await_relay_back_step(HotMigration& hot);
runs::Step duplicate_back_step(HotMigration& hot);
runs::Step await_back_step(HotMigration& hot);
runs::Step wait_step(HotMigration& hot);
runs::Step cutover_step(HotMigration& hot);
runs::Step watch_step(HotMigration& hot);
runs::Step complete_step(HotMigration& hot);
}  // namespace

std::vector<runs::Step> duplicate_and_cut_over(HotMigration& hot) {
  const auto& request = hot.request();
  std::vector<runs::Step> steps;
  if (request.waits_for_restart()) steps.push_back(await_restart_step(hot));
  if (request.has_relay()) runs::append(steps, prepare_for_relay(hot));
  steps.push_back(duplicate_step(hot));  // the table's rows, and what clients write, to the target
  if (request.has_relay()) runs::append(steps, move_older_rows(hot));

  steps.push_back(catch_up_step(hot));    // until the target has nearly everything
  steps.push_back(one_by_one_step(hot));  // real servers: nothing is reordered any more

  steps.push_back(verify_step(hot));  // compares live, and repairs

  if (request.has_way_back()) {
    steps.push_back(touch_step(hot));  // real servers lose the first write of a partition
    if (request.has_relay()) steps.push_back(await_relay_back_step(hot));
    steps.push_back(duplicate_back_step(hot));  // for a rollback
    steps.push_back(await_back_step(hot));
  }

  steps.push_back(wait_step(hot));      // for `pegmove cutover`
  steps.push_back(cutover_step(hot));   // fence, prove, drain, switch; or give back
  steps.push_back(watch_step(hot));     // until `pegmove rollback`, which repeats from the cutover,
  steps.push_back(complete_step(hot));  // or `pegmove complete`
  return steps;
}

namespace {

// A relay that was refused tries again after some seconds, and is sealed. The successor of one that
// was killed waits for 20 seconds first (relay/ownership.h).
constexpr milliseconds kRelayTakes{30'000};

std::string source_text(const HotMigration& hot) {
  return fmt::format("table {} on {}", hot.request().source.table, hot.request().source.metas);
}
std::string target_text(const HotMigration& hot) {
  return fmt::format("table {} on {}", hot.request().target.table, hot.request().target.metas);
}

runs::Step duplicate_step(HotMigration& hot) {
  return {.name = "duplicate",
          .does = hot.request().has_relay()
                      ? fmt::format("duplicate what is written to {} to the relay {}",
                                    source_text(hot), hot.request().other.relay)
                      : fmt::format("duplicate {} to {}, with the rows that it has",
                                    source_text(hot), target_text(hot)),
          .kind = StepKind::kCompensable,
          .is_remote = true,
          .run = [&hot](StepContext) { return hot.duplicate(); },
          .find_before = [&hot](StepContext) { return hot.find_no_duplication(); },
          .find_product = [&hot](StepContext) { return hot.find_duplication(); },
          .take = [&hot](const StepRecord& record) { return hot.take_duplication(record); },
          .undo = [&hot](StepContext context,
                         const StepRecord&) { return hot.undo_duplication(context); }};
}

runs::Step catch_up_step(HotMigration& hot) {
  return {.name = "catch-up",
          .does = "wait until the target has nearly everything",
          .is_remote = true,
          .run = [&hot](StepContext context) { return hot.catch_up(context); }};
}

runs::Step one_by_one_step(HotMigration& hot) {
  return {.name = "ship-one-by-one",
          .does = hot.request().ships_in_batches
                      ? fmt::format("leave {} at its default, since clients write faster than "
                                    "writes can be shipped one by one",
                                    kBatchSetting)
                      : fmt::format("on real clusters, set {} to {} on every replica server, so "
                                    "that no write is reordered or left out",
                                    kBatchSetting, kOneByOne),
          .kind = StepKind::kCompensable,
          .run = [&hot](StepContext context) { return hot.ship_one_by_one(context); },
          .find_before = [&hot](StepContext) { return hot.find_settings(); },
          .take = [&hot](const StepRecord& record) { return hot.take_settings(record); },
          .undo = [&hot](StepContext, const StepRecord&) { return hot.put_settings_back(); }};
}

runs::Step verify_step(HotMigration& hot) {
  return {.name = "verify-live",
          .does = "compare both tables while clients write, and repair the rows that differ",
          .run = [&hot](StepContext context) { return hot.verify_live(context); },
          .take = [&hot](const StepRecord& record) { return hot.take_verification(record); }};
}

runs::Step touch_step(HotMigration& hot) {
  return {.name = "touch-partitions",
          .does = "give each partition of the target that is empty its first write",
          .run = [&hot](StepContext) { return hot.touch_target(); }};
}

runs::Step await_relay_back_step(HotMigration& hot) {
  return {.name = "await-relay-back",
          .does = fmt::format("wait for the relay {}, which takes to {} what is written to {}",
                              hot.request().other.relay_back, source_text(hot), target_text(hot)),
          .run = [&hot](StepContext context) { return hot.await_relay(context, true); }};
}

runs::Step duplicate_back_step(HotMigration& hot) {
  return {
      .name = kDuplicateBackStep,
      .does = fmt::format("duplicate {} to {}, for a rollback", target_text(hot), source_text(hot)),
      .kind = StepKind::kCompensable,
      .is_remote = true,
      .run = [&hot](StepContext) { return hot.duplicate_back(); },
      .find_before = [&hot](StepContext) { return hot.find_no_duplication_back(); },
      .find_product = [&hot](StepContext) { return hot.find_duplication_back(); },
      .take = [&hot](const StepRecord& record) { return hot.take_duplication_back(record); },
      .undo = [&hot](StepContext context,
                     const StepRecord&) { return hot.undo_duplication_back(context); }};
}

runs::Step await_back_step(HotMigration& hot) {
  return {.name = "await-back",
          .does = "wait until every partition of the target ships back",
          .is_remote = true,
          .run = [&hot](StepContext context) { return hot.await_back(context); }};
}

runs::Step wait_step(HotMigration& hot) {
  return {.name = kWaitStep,
          .does = hot.request().cuts_over_alone ? "wait until the target has nearly everything"
                                                : "wait for `pegmove cutover`",
          .run = [&hot](StepContext context) { return hot.wait_for_cutover(context); }};
}

runs::Step cutover_step(HotMigration& hot) {
  const auto& request = hot.request();
  return {
      .name = kCutoverStep,
      .does = fmt::format(
          "fence the source, prove that the target has everything, {}and switch node {}/{} to it; "
          "or give back within {}",
          request.ships_in_batches ? "compare and repair both tables, " : "", request.zk_root,
          request.source.table,
          base::format_duration(hot.write_hold(request.first_fence(), request.ships_in_batches))),
      .kind = StepKind::kCompensable,
      .run = [&hot](StepContext context) { return hot.cut_over(context); },
      .find_before = [&hot](StepContext context) { return hot.find_before_switch(context); },
      .find_product = [&hot](StepContext context) { return hot.find_switched(context); },
      .take = [&hot](const StepRecord& record) { return hot.take_switch(record); },
      .undo = [&hot](StepContext context,
                     const StepRecord& record) { return hot.give_cutover_back(context, record); }};
}

runs::Step watch_step(HotMigration& hot) {
  return {.name = kWatchStep,
          .does =
              "show how the target serves, until `pegmove complete` or `pegmove "
              "rollback`",
          .run = [&hot](StepContext context) { return hot.watch(context); }};
}

runs::Step complete_step(HotMigration& hot) {
  return {.name = kCompleteStep,
          .does = hot.request().drops_source
                      ? "remove both duplications, put the settings back, and drop the source table"
                      : "remove both duplications, and put the settings back",
          .kind = StepKind::kPivot,
          .run = [&hot](StepContext context) { return hot.complete(context); },
          .find_before = [&hot](StepContext) { return hot.find_target_serves(); }};
}

Routine<> reach_side(const Ports& ports, inspect::Side& side) {
  side.cluster = co_await ports.connect(side.word);
}

// What a run keeps of its own in the store.
HotRequest with_split_path(HotRequest request, const Clock& clock) {
  auto& other = request.other;
  if (request.has_relay() && other.split_path.empty())
    other.split_path = new_split_path(other.path, request.source.table, clock);
  return request;
}

std::unique_ptr<MoveFiles> files_of(const HotRequest& request, const Ports& ports) {
  const auto& other = request.other;
  if (!request.has_relay()) return nullptr;
  return std::make_unique<MoveFiles>(MoveFilesRequest{.from_metas = request.source.metas,
                                                      .to_metas = request.target.metas,
                                                      .table = request.source.table,
                                                      .to_table = request.target.table,
                                                      .store = other.store,
                                                      .path = other.path,
                                                      .cluster = kFilesFolder,
                                                      .split_path = other.split_path,
                                                      .ingest_behind = true,
                                                      .limits = other.limits,
                                                      .timeout = request.timeout},
                                     ports);
}

routes::Route route_of(const HotSide& side) {
  return {.cluster = side.cluster,
          .metas = net::parse_host_port_list(side.metas).value_or(std::vector<net::HostPort>())};
}

}  // namespace

HotMigration::HotMigration(HotRequest request, const Ports& ports, std::string from, std::string to)
    : request_(with_split_path(std::move(request), ports.clock)),
      ports_(ports),
      from_(from.empty() ? request_.source.metas : std::move(from)),
      to_(to.empty() ? request_.target.metas : std::move(to)),
      files_(files_of(request_, ports)) {}

HotMigration::~HotMigration() = default;

// A run that has begun finds its own table and duplications: it only connects.
Task<runs::Assessment> HotMigration::open(runs::Purpose purpose) {
  inspect::Side source{from_, nullptr}, target{to_, nullptr};
  {
    async::TaskGroup both(co_await asio::this_coro::executor);
    both.spawn(reach_side(ports_, source));
    both.spawn(reach_side(ports_, target));
    co_await both.join();  // no result
  }
  runs::Assessment assessment;
  if (purpose == runs::Purpose::kBegin) {
    auto look = co_await look_before_hot(ports_, source, target, request_);
    request_ = std::move(look.request);
    assessment = assessment_of(look);
    if (assessment.refusal) co_return assessment;
  }
  source_cluster_ = CO_TRY(std::move(source.cluster));
  target_cluster_ = CO_TRY(std::move(target.cluster));
  nodes_ = CO_TRY(ports_.open_nodes(request_.zookeeper));
  CO_TRY(bind_ways());
  co_return assessment;
}

// To where each direction ships.
Result<void> HotMigration::bind_ways() {
  const auto& other = request_.other;
  if (!request_.has_relay()) {
    forward_.bind({.remote = request_.target.name,
                   .remote_table = request_.target.table,
                   .with_checkpoint = true,
                   .remote_replica_count = request_.replica_count});
    back_.bind({.remote = request_.source.name, .remote_table = request_.source.table});
    return {};
  }
  forward_.bind({.remote = other.relay, .remote_table = request_.target.table});
  relay_ = TRY(RelayPort::open(*nodes_, ports_.clock, source_cluster_, relay_ends(false)));
  if (!request_.has_way_back()) return {};
  back_.bind({.remote = other.relay_back, .remote_table = request_.source.table});
  relay_back_ = TRY(RelayPort::open(*nodes_, ports_.clock, target_cluster_, relay_ends(true)));
  return {};
}

Task<ClusterSide*> HotMigration::source() {
  if (!source_)
    source_ = CO_TRY(co_await ClusterSide::open(source_cluster_, request_.source.table,
                                                request_.source.is_embedded, soon()));
  co_return source_.get();
}

Task<ClusterSide*> HotMigration::target() {
  if (!target_)
    target_ = CO_TRY(co_await ClusterSide::open(target_cluster_, request_.target.table,
                                                request_.target.is_embedded, soon()));
  co_return target_.get();
}

Task<CutoverPlan> HotMigration::plan(bool goes_back, bool opens_target) {
  CutoverPlan plan{.path = CO_TRY(routes::node_path(request_.zk_root, request_.source.table)),
                   .from = route_of(goes_back ? request_.target : request_.source),
                   .to = route_of(goes_back ? request_.source : request_.target),
                   .fence = request_.fence,
                   // A side that is denied must be opened before it can serve.
                   .order = goes_back || opens_target ? Order::kFenceFirst : request_.order,
                   .opens_target = opens_target};
  const auto& there = goes_back ? back_ : forward_;
  const auto& other = goes_back ? forward_ : back_;
  if (goes_back && !request_.has_way_back()) co_return fail(Code::kRefused, kNoWayBack);
  if (!there.shipping())
    co_return fail(Code::kCorrupt, "the journal does not have the duplication of this direction");
  plan.shipping = *there.shipping();
  plan.back = other.shipping();
  // Where the sides are compared before the switch, reads stay open until then.
  const bool is_compared = compares(goes_back, opens_target);
  if (is_compared) plan.fence = FenceKind::kWrites;
  plan.max_write_hold = write_hold(plan.fence, is_compared);
  // Embedded targets recognize what an embedded source ships twice.
  if (!has_real_servers()) plan.must_persist = MustPersist::kNo;
  const bool is_embedded = (goes_back ? request_.target : request_.source).is_embedded;
  // An embedded server gives a write its decree within a moment, as it waits in one queue.
  if (is_embedded) plan.readings_apart = async::milliseconds(50);
  plan.later_time_wins = request_.has_relay();
  co_return plan;
}

// A comparison under a fence takes as long as the live one did, or longer.
milliseconds HotMigration::write_hold(FenceKind fence, bool compares) const {
  if (request_.max_write_hold.count() > 0) return request_.max_write_hold;
  auto hold = usual_write_hold(!has_real_servers(), fence);
  if (request_.has_relay()) hold += kRelayTakes;
  if (compares && report_.verification) hold += 2 * milliseconds(report_.verification->took_ms);
  // What waits to be shipped back is shipped under the fence.
  return hold + milliseconds(1000 * behind_on_the_way_back_ / request_.ships_per_second);
}

// Whether the sides are compared under the fence. A relay leaves out what is older than the
// target's row, by the clocks of the clusters that wrote both. Where both have written, one may be
// behind: after a rollback, which has left the target denied.
bool HotMigration::compares(bool goes_back, bool opens_target) const {
  return goes_back || ships_in_batches_ || (request_.has_relay() && opens_target);
}

Task<NodeNames> HotMigration::who_serves() {
  const CutoverPlan forward{
      .path = CO_TRY(routes::node_path(request_.zk_root, request_.source.table)),
      .from = route_of(request_.source),
      .to = route_of(request_.target)};
  const auto node = CO_TRY(co_await nodes_->read(forward.path, soon()));
  co_return names_in(node, forward);
}

runs::Report HotMigration::report(const journal::Run& run) {
  auto json = to_json(report_, request_);
  json["id"] = run.id;
  auto text = to_text(report_, request_);
  // Of the parts, those that this process carried out.
  if (files_ && files_->split().made().files > 0) {
    const auto backup = files_->backup().report(run), split = files_->split().report(run),
               load = files_->load().report(run);
    for (const auto& [name, part] :
         {std::pair("backup", &backup), {"split", &split}, {"load", &load}}) {
      json[name] = base::parse_json<nlohmann::ordered_json>(part->json);
      text += part->text;
    }
  }
  return {
      .stored = base::json_text(json), .json = base::json_text(json, 2), .text = std::move(text)};
}

void HotMigration::apply(const std::string& key, const std::string& value) {
  // `pegmove set` has checked it; a setting of a newer pegmove has no effect here.
  (void)apply_hot_setting(request_, key, value);
}

Result<void> apply_hot_setting(HotRequest& request, std::string_view key, std::string_view value) {
  if (key != "max-write-hold")
    return fail(
        Code::kInvalidArgument,
        fmt::format("'{}' is not a setting of a hot migration; there is max-write-hold", key));
  request.max_write_hold = TRY(in_context(base::parse_duration(value), key));
  return {};
}

std::string to_json(const JournaledSwitch& journaled) {
  return base::json_text(
      nlohmann::json{{"before", base::parse_json<nlohmann::json>(to_json(journaled.before))},
                     {"back", journaled.goes_back},
                     {"opens_target", journaled.opens_target},
                     {"served", base::parse_json<nlohmann::json>(to_json(journaled.served))}});
}

Result<JournaledSwitch> journaled_switch_from_json(std::string_view text) {
  const auto json = base::parse_json<nlohmann::json>(text);
  const auto in = TRY(base::JsonFields::of(json, "the journal's begin of a cutover"));
  JournaledSwitch journaled{
      .before = TRY(cutover_before_from_json(base::json_text(*TRY(in.any("before"))))),
      .goes_back = TRY(in.boolean("back")),
      .opens_target = TRY(in.boolean("opens_target"))};
  // Journals of earlier versions have none.
  if (in.has("served"))
    journaled.served = TRY(served_rate_from_json(base::json_text(*TRY(in.any("served")))));
  return journaled;
}

}  // namespace pegmove::migration::hot
