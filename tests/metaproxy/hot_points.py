"""The failpoints of a hot migration, in the order in which a run passes them."""
import pathlib
import re

SOURCES = pathlib.Path(__file__).parents[2] / "src"


def of_steps(*steps):
    return [f"{step}.{point}" for step in steps for point in ("begun", "acted", "done")]


def undoing(*steps):
    return [f"{step}.{point}" for step in steps for point in ("undoing", "undo-acted", "undone")]


def of_header(*families):
    """Those of migration/hot/failpoints.h, as the source lists them."""
    text = (SOURCES / "migration/hot/failpoints.h").read_text(encoding="utf-8")
    return re.findall(rf'"((?:{"|".join(families)})\.\w+)"', text)


UNTIL_READY = of_steps("duplicate", "catch-up", "ship-one-by-one", "verify-live", "touch-partitions", "duplicate-back",
                       "await-back", "wait-for-cutover")
# Under the fence of a cutover, before its switch. A rollback has more of them.
UNDER_FENCE = ["cutover.fence_set", "cutover.fence_proven", "cutover.drained", "cutover.checked"]
BEFORE_SWITCH = ["cutover.version_read", "cutover.begun", "cutover.members_seen", *UNDER_FENCE]
SWITCHED = ["cutover.switched", "cutover.acted", "cutover.done", "watch.begun"]
GIVING_BACK = ["give_back.begun", "give_back.switch_closed", "give_back.allowed", "give_back.served"]
BACK_BEGINS = ["watch.acted", "cutover.repeats"]
BACK_UNDER_FENCE = ["cutover.fence_set", "cutover.fence_proven", "cutover.target_opened", "cutover.drained",
                    "cutover.compared", "cutover.checked"]
BACK_SWITCHED = ["cutover.readers_sent", "cutover.acted", "wait-for-cutover.repeats", "wait-for-cutover.begun"]
COMPLETING = ["watch.acted", "watch.done", "complete.begun", "complete.acted", "ended"]
CANCELLING = ["cancelling", *undoing("duplicate-back", "ship-one-by-one", "duplicate"), "cancelled"]
CANCELLING_CUTOVER = ["cancelling", *undoing("cutover", "duplicate-back", "ship-one-by-one", "duplicate"), "cancelled"]
GUARD = ["guard.started", "guard.lease_ended", "guard.ended"]
WITH_RELAY = ["cutover.relay_sealed"]
ENGINE = {point for part in (UNTIL_READY, BEFORE_SWITCH, SWITCHED, BACK_BEGINS, BACK_SWITCHED, COMPLETING, CANCELLING,
                             CANCELLING_CUTOVER) for point in part if "_" not in point} | {"complete.done"}
