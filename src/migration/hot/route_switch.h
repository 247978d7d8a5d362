// The commit point of a cutover: the version of the table's node in ZooKeeper. Whoever changes it
// first has decided: the switch (names the target) or the giving back (names the source still).
#pragma once

#include "migration/hot/plan.h"

namespace pegmove::migration::hot {

// How long one request to ZooKeeper may take, and the pause before it is repeated.
inline constexpr async::milliseconds kNodeRequest{5'000};
inline constexpr async::milliseconds kNodePause{200};

// Reads the node and its version: before the fence. Errors: kRefused: the node does not name the
// source, with what it says; kNotFound; kUnreachable, kTimeout.
Task<CutoverBefore> read_before(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                                Deadline deadline);

// The same, and writes the node's own data again by compare-and-set; the version is the one after
// it. So the node can be written, and its version is not the first one, which a node that is
// deleted and made again has, too. Errors: also kRefused: ZooKeeper forbids the write; kBusy:
// others keep changing it. Nothing else was changed.
Task<CutoverBefore> claim_node(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                               Deadline deadline);

enum class SwitchEnd {
  kSwitched,
  kLost,      // somebody else has changed the node, and it does not name the target
  kNotKnown,  // nobody has answered until the deadline: close_switch() decides
};
// The switch: a compare-and-set on exactly the version that was found before the fence, repeated
// while its outcome is not known. What was given up here may still be carried out later. Errors:
// kRefused, kNotFound: ZooKeeper refuses it, so that it has not happened.
Task<SwitchEnd> switch_route(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                             CutoverBefore before, Deadline deadline);

// Makes every switch from this version fail from now on, unless one has happened already: writes
// the node's own data again by compare-and-set, so that it has another version. Returns what the
// node says after that: kSource: nobody can switch any more; kTarget: the switch has happened;
// kElse: the node is of no use, nothing is known of who serves. Repeatable. Errors: kUnreachable,
// kTimeout, kRefused: nothing is decided.
struct ClosedSwitch {
  NodeNames names = NodeNames::kElse;
  int32_t version = -1;  // of the node that says so; -1: there is none
};
Task<ClosedSwitch> close_switch(routes::Nodes& nodes, Clock& clock, CutoverPlan plan,
                                CutoverBefore before, Deadline deadline);

}  // namespace pegmove::migration::hot
