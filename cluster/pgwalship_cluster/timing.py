"""Which times must fit each other, in one place. All in seconds.

A failover is a chain of waits: Corosync notices, Pacemaker fences, the resource agent promotes. Each
wait has a limit, and some limits must be longer than others, or a slow moment becomes a crash. The
reasons are beside the numbers; `check` says which pair does not fit, in words.
"""

import math
from dataclasses import dataclass

# What pgwalship promises (README, "Quorum"): a push waits push-timeout; once the quorum has been out
# of reach for 10 s, 5 s. PostgreSQL that is stopped makes up to six tries, a second apart.
PUSH_WAIT_WITHOUT_QUORUM = 5
STOP_TRIES = 6
TRY_PAUSE = 1
# A fetch during a promotion: the .history probe (README, "Exit codes") ends within 3 s.
HISTORY_PROBE = 3
# One segment from a peer for a standby: at most one fetch (README, "Limits").
STANDBY_FETCH = 9


@dataclass(frozen=True)
class Timing:
    token: float
    detection: float  # from the loss of a node until Pacemaker acts
    wal_sender_timeout: int
    stop_escalate: int
    start_timeout: int
    promote_timeout: int
    demote_timeout: int
    stop_timeout: int
    notify_timeout: int
    monitor_timeout: int = 30
    monitor_primary: int = 1
    monitor_standby: int = 2


def slowest_stop(push_timeout):
    """How long `pg_ctl stop -m fast` may take when the quorum has just been lost."""
    return push_timeout + (STOP_TRIES - 1) * (PUSH_WAIT_WITHOUT_QUORUM + TRY_PAUSE)


def timing(cluster):
    token = cluster.token + 0.65 * max(0, len(cluster.members) - 2)  # Corosync's token_coefficient
    detection = token * 2.2  # the token, then consensus (1.2 tokens)
    stop_escalate = math.ceil(slowest_stop(cluster.push_timeout))
    return Timing(
        token=cluster.token,
        detection=detection,
        # Longer than a cut-off primary lives, or it goes on alone and acknowledges: detection, then
        # demote. Shorter than clients want to wait when the synchronous standby is lost silently.
        wal_sender_timeout=math.ceil(detection * 2.4),
        stop_escalate=stop_escalate,
        start_timeout=60,
        promote_timeout=60,
        # After stop_escalate the agent stops the server the hard way: that needs a moment.
        demote_timeout=stop_escalate + 15,
        stop_timeout=stop_escalate + 15,
        # When the primary and another node's server die together, the agent's post-demote notify
        # repeats a failing command until this ends; nothing else moves meanwhile.
        notify_timeout=15,
    )


def check(cluster):
    """What does not fit, as sentences; none: all fits."""
    times = timing(cluster)
    wrong = []
    if cluster.token < 1 or cluster.token > 30:
        wrong.append(f"token is {cluster.token:g} s: 1 s to 30 s")
    if cluster.push_timeout > 30:
        wrong.append(f"push-timeout is {cluster.push_timeout:g} s: a server that stops would wait "
                     f"{slowest_stop(cluster.push_timeout):g} s for its archive; 30 s at most")
    if HISTORY_PROBE + STANDBY_FETCH > times.promote_timeout / 2:
        wrong.append("fetching takes too much of the promotion's time")
    if times.notify_timeout > times.promote_timeout:
        wrong.append("a notification may outlast a promotion")
    return wrong


def table(cluster):
    """What fits into what, for people: (what, seconds, must be below, seconds)."""
    times = timing(cluster)
    return [
        ("slowest stop with the archive's quorum lost", slowest_stop(cluster.push_timeout),
         "stop_escalate", times.stop_escalate),
        ("stop_escalate", times.stop_escalate, "demote and stop timeout", times.stop_timeout),
        (".history probe and one fetched segment", HISTORY_PROBE + STANDBY_FETCH,
         "promote timeout", times.promote_timeout),
        ("one fetched segment", STANDBY_FETCH, "start timeout", times.start_timeout),
        ("loss of a node noticed", times.detection, "wal_sender_timeout",
         times.wal_sender_timeout),
    ]
