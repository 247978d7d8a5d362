#include "migration/hot/sim_run_test.h"

namespace pegmove::migration::hot {

using Kind = SimCluster::Kind;

SimRun::Ports::Ports(SimRun& run, SimProcess& process, bool is_back)
    : source(run.world_, run.cluster(is_back), process, run.faults_),
      target(run.world_, run.cluster(!is_back), process, run.faults_),
      lying_source(source, run.cluster(is_back), run.settings_.removed),
      lying_target(target, run.cluster(!is_back), run.settings_.removed),
      nodes(run.world_, run.zookeeper_, process, run.faults_),
      lying_nodes(nodes, run.zookeeper_, routes::route_text(run.routes_[size_t(!is_back)]),
                  run.settings_.removed),
      clock(run.world_, process),
      has_relay(run.settings_.with_relay && (!is_back || run.has_times())),
      relay(run.world_, run.cluster(is_back), process, run.settings_.removed == Removed::kSealed) {}

SimRun::SimRun(SimSettings settings)
    : settings_(std::move(settings)),
      world_(settings_.seed),
      a_(world_, options_of("A")),
      b_(world_, options_of("B")),
      zookeeper_(world_, routes::route_text(routes_[0])) {
  if (settings_.with_faults) {
    const double share = world_.chance(0.5) ? 0.15 : 0;
    faults_ = {.lost_node_answers = share, .stale_node_reads = 0.2, .lost_meta_answers = share};
  }
  a_.ship_to(&b_);
  b_.ship_to(&a_);
  table_ = {.clusters = {&a_, &b_}, .proxies = {0, 0}};
  stale_proxy_ms_ = world_.between(5'000, 120'000);
  if (settings_.order == Order::kFenceFirst && !settings_.with_rollback)
    table_.only_writer = [this] { return serving(); };
  // Both follow the node; the second one learns of a change late.
  zookeeper_.on_change = [this] {
    for (size_t proxy = 0; proxy < table_.proxies.size(); ++proxy)
      world_.after(proxy == 0 ? world_.between(10, 1'000) : stale_proxy_ms_,
                   [this, proxy] { table_.proxies[proxy] = serving(); });
  };
  history_.is_strict = settings_.fence == FenceKind::kAll &&
                       settings_.order == Order::kFenceFirst && !settings_.with_rollback;
  // What a client that comes back by itself was acknowledged arrives later.
  if (!settings_.with_rollback)
    history_.is_over = [this] { return cluster(1 - serving()).is_denied_everywhere(); };
}

SimOutcome SimRun::run() {
  prepare();
  if (settings_.with_faults) make_trouble();
  world_.run_for(world_.between(1'000, 10'000));
  attempt(false);
  if (settings_.with_rollback && serving() == 1) {
    // Everybody has left A, and was denied there if he did not know.
    world_.run_for(230'000);
    clients_[kStrayKey]->stop();
    world_.run_for(30'000);
    if (settings_.with_relay) unseal_way_to_b();
    world_.after(world_.between(0, 90'000), [this] { stray_writes(10); });
    attempt(true);
  }
  check_end();
  outcome_.wrong = history_.wrong();
  return std::move(outcome_);
}

void SimRun::start_clients() {
  const auto start = [this](SimClient::Habits habits) {
    clients_.push_back(std::make_shared<SimClient>(world_, table_, history_, habits));
    clients_.back()->start();
  };
  for (int key = 0; key < kKeys; ++key)
    start({.key = key,
           .proxy = size_t(key % 2),
           .least_pause = key == 3 ? 5'000 : 30 * settings_.pauses,
           .most_pause = key == 3 ? 60'000 : 600 * settings_.pauses});
  // The same keys by way of the other proxy, which learns of a switch at another time.
  for (int key = 0; key < kStrayKey; ++key)
    start({.key = key,
           .proxy = size_t((key + 1) % 2),
           .least_pause = 200 * settings_.pauses,
           .most_pause = 2'000 * settings_.pauses});
  for (size_t proxy = 0; proxy < 2; ++proxy)
    start({.key = -1, .proxy = proxy, .least_pause = 50, .most_pause = 500});
  start({.key = -1, .proxy = 0, .least_pause = 20'000, .most_pause = 120'000});
}

// What the run does before a cutover: both duplications, one by one, and then the verification with
// repair.
void SimRun::prepare() {
  start_clients();
  a_.add_duplication();
  b_.add_duplication();
  world_.run_for(world_.between(0, 3'000));
  if (settings_.removed != Removed::kAllShip)
    world_.run_until([this] { return a_.ships_everywhere() && b_.ships_everywhere(); }, 60'000);
  b_.take_rows(a_);
}

void SimRun::make_trouble() {
  const auto count = world_.between(0, settings_.most_troubles);
  for (int64_t i = 0; i < count; ++i)
    world_.after(world_.between(settings_.troubles_from, 110'000), [this] {
      if (has_trouble_) trouble(world_.chance(0.7) ? a_ : b_);
    });
  if (world_.chance(0.3))
    world_.after(world_.between(0, 90'000),
                 [this] { zookeeper_.be_away(world_.between(1'000, 60'000)); });
}

void SimRun::trouble(SimCluster& cluster) {
  const int partition = int(world_.between(0, cluster.partitions() - 1));
  switch (world_.between(0, 3)) {
    case 0:
      return cluster.kill(int(world_.between(0, 3)), world_.between(300, 30'000),
                          world_.between(2'000, 60'000));
    case 1: return cluster.move_primary(partition);
    case 2: return cluster.add_member(partition, world_.between(1'000, 35'000), true, true);
    default:
      return cluster.add_member(partition, world_.between(1'000, 35'000), world_.chance(0.5),
                                false);
  }
}

CutoverPlan SimRun::plan_of(bool is_back) {
  const int64_t hold = settings_.is_embedded ? 5'000
                       : is_back             ? world_.between(120'000, 200'000)
                                             : world_.between(80'000, 150'000);
  return {
      .path = "/pegasus/t",
      .from = routes_[size_t(is_back)],
      .to = routes_[size_t(!is_back)],
      .shipping = {.dup_id = 1, .remote = is_back ? "A" : "B"},
      .back = Shipping{.dup_id = 2, .remote = is_back ? "B" : "A"},
      .fence = settings_.fence,
      .order = settings_.order,
      .opens_target = is_back,
      .max_write_hold = async::milliseconds(hold),
      .readings_apart = async::milliseconds(settings_.removed == Removed::kTwoReadings ? 0 : 1'000),
      .later_time_wins = has_times()};
}

Task<> SimRun::compare(Clock& clock, int64_t takes) {
  co_await clock.sleep_for(async::milliseconds(takes));  // no result
  co_return Result<void>();
}

CutoverHooks SimRun::hooks_of(SimProcess& process) {
  CutoverHooks hooks{.at = [&process](std::string_view point) { process.at_point(point); },
                     .abandoned = [&process] { return process.is_dead(); }};
  if (settings_.with_compare)
    hooks.compare = [this, takes = world_.between(0, 3'000)](Deadline) {
      return compare(world_.clock(), takes);
    };
  return hooks;
}

SimProcess::Fate SimRun::random_fate() {
  SimProcess::Fate fate;
  if (!settings_.with_fates || world_.chance(0.4)) return fate;
  if (world_.chance(0.5))
    fate.at_call = world_.between(1, world_.chance(0.5) ? 60 : 1'500);
  else
    fate.at_point = kFailpoints[size_t(world_.between(0, std::ssize(kFailpoints) - 1))];
  if (world_.chance(0.5)) fate.stops_for = world_.between(1'000, 200'000);
  return fate;
}

Routine<> SimRun::hold_it(Ports& ports, SimProcess& process, Attempt& attempt,
                          std::function<void()> start_guard) {
  const auto hooks = hooks_of(process);
  const auto before = co_await claim_node(ports.nodes, ports.clock, attempt.plan,
                                          Deadline::in(ports.clock, async::milliseconds(5'000)));
  hooks.pass("cutover.version_read");
  if (before && co_await process.live()) {
    attempt.before = *before;
    attempt.has_begun = true;
    attempt.late_at = world_.now() + attempt.plan.max_write_hold.count() -
                      ports.lying_source.envs_act_within().count() -
                      attempt.plan.give_back_takes.count();
    start_guard();
    const auto end = co_await cut_over(ports.get(), attempt.plan, attempt.before, hooks);
    if (co_await process.live()) {
      attempt.has_ended = true;
      if (end && end->result == CutoverResult::kStaysDenied)
        history_.note(fmt::format("the source stays denied: {}", end->says));
    }
  }
  attempt.is_over = true;
}

Routine<> SimRun::guard_it(Ports& ports, SimProcess& process, SimHolder& holder, Attempt& attempt) {
  co_await guard_cutover(ports.get(), attempt.plan, attempt.before, holder,  // no result
                         hooks_of(process));
}

// A later process, after both are gone.
Routine<> SimRun::resume_it(Ports& ports, Attempt& attempt) {
  co_await give_back(ports.get(), attempt.plan, attempt.before,  // no result
                     ports.clock.now() + kLateRequest, {});
}

// The longest time in which nobody could write everywhere, as far as it is pegmove's.
void SimRun::watch_hold(bool is_back, std::shared_ptr<Watched> watched) {
  auto begun = std::make_shared<std::optional<int64_t>>();
  auto look = std::make_shared<std::function<void()>>();
  *look = [=, this, weak = std::weak_ptr(look)] {
    const bool is_held = serving() == int(is_back) && !cluster(is_back).serves_everywhere();
    if (is_held && !*begun) *begun = world_.now();
    if (!is_held) begun->reset();
    if (*begun) watched->longest_hold = std::max(watched->longest_hold, world_.now() - **begun);
    if (const auto again = weak.lock(); again && !(watched->is_over && !is_held))
      world_.after(200, [again] { (*again)(); });
  };
  (*look)();
}

// As the run does while it watches.
void SimRun::unseal_way_to_b() {
  SimProcess process(world_);
  Ports ports(*this, process, false);
  world_.start(unseal(ports, plan_of(false).shipping));
  if (!world_.run_until([this] { return world_.under_way() == 0; }, 600'000))
    history_.note("the relay to B stays sealed");
}

Routine<> SimRun::unseal(Ports& ports, Shipping shipping) {
  while (true) {
    const auto deadline = Deadline::in(ports.clock, async::milliseconds(5'000));
    if (co_await unseal_when_stored(ports.lying_source, ports.relay, shipping, deadline)) break;
    co_await ports.clock.sleep_for(async::milliseconds(5'000));  // no result
  }
}

// A client that had left A for good, and comes back to it by itself.
void SimRun::stray_writes(int64_t tries) {
  if (tries == 0 || !has_trouble_) return;
  const int partition = a_.partition_of(kStrayKey);
  if (const auto server = a_.primary(partition)) {
    const auto value = history_.begin_write(kStrayKey);
    a_.write(*server, partition,
             {.key = kStrayKey,
              .value = value,
              .kind = Kind::kClient,
              .done = [this, value](SimAnswer answer) {
                if (answer == SimAnswer::kOk) history_.acknowledged(kStrayKey, value);
              }});
  }
  world_.after(5'000, [this, tries] { stray_writes(tries - 1); });
}

void SimRun::attempt(bool is_back) {
  Attempt attempt{.plan = plan_of(is_back)};
  SimProcess process(world_), guard(world_), later(world_);
  Ports ports(*this, process, is_back), guards(*this, guard, is_back),
      laters(*this, later, is_back);
  process.doom(settings_.fate ? *settings_.fate : random_fate());
  const bool is_guard_doomed = settings_.guards_fate || world_.chance(0.2);
  if (is_guard_doomed) guard.doom(settings_.guards_fate ? *settings_.guards_fate : random_fate());
  SimHolder holder(world_, attempt, process);
  const bool has_guard = settings_.removed != Removed::kGuard;
  const auto watched = std::make_shared<Watched>();
  watch_hold(is_back, watched);
  world_.start(hold_it(ports, process, attempt, [&] {
    if (has_guard) world_.start(guard_it(guards, guard, holder, attempt));
  }));
  const auto ended = [this] { return world_.under_way() == 0; };
  if (!world_.run_until(ended, 1'200'000)) history_.note("the cutover does not end");
  if (attempt.has_begun && !attempt.has_ended && guard.is_dead()) {
    world_.start(resume_it(laters, attempt));
    if (!world_.run_until(ended, 600'000)) history_.note("the resumed run does not end");
  }
  if (world_.under_way() > 0) {  // so that nothing outlives its ports
    for (auto* each : {&process, &guard, &later}) each->die();
    world_.run_until(ended, 1'200'000);
  }
  watched->is_over = true;
  const bool keeps_time = !settings_.with_faults && !is_guard_doomed;
  if (keeps_time && watched->longest_hold > attempt.plan.max_write_hold.count() + 500)
    history_.note(fmt::format("writes were held for {} ms, longer than {}", watched->longest_hold,
                              attempt.plan.max_write_hold.count()));
  outcome_.longest_hold = std::max(outcome_.longest_hold, watched->longest_hold);
  ++(serving() == int(!is_back) ? outcome_.switched : outcome_.given_back);
  for (const auto* each : {&process, &guard, &later})
    for (const auto& [point, count] : each->points) outcome_.points[point] += count;
}

// When everything has healed: the side that the node names serves, the other one does not, and
// nothing that was acknowledged is lost or old.
void SimRun::check_end() {
  has_trouble_ = false;
  a_.heal();
  b_.heal();
  world_.run_for(160'000);
  for (auto& client : clients_) client->stop();
  world_.run_for(45'000);
  auto& serves = cluster(serving());
  auto& other = cluster(1 - serving());
  if (serves.env() || !serves.serves_everywhere())
    history_.note(fmt::format("{} is named, and is denied", serves.options().name));
  const bool was_fenced = outcome_.switched > 0;
  if (was_fenced && !other.is_denied_everywhere())
    history_.note(fmt::format("{} is not named, and is open", other.options().name));
  for (int key = 0; key < history_.keys(); ++key) {
    const auto& rows = serves.at(serves.partition_of(key)).rows;
    const auto found = rows.find(key);
    const auto value = found == rows.end() ? 0 : found->second;
    if (value < history_.floor_of(key))
      history_.note(fmt::format("key {} has {} on {}, but {} was acknowledged", key, value,
                                serves.options().name, history_.floor_of(key)));
  }
}

}  // namespace pegmove::migration::hot
