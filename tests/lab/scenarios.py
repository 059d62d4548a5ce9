"""The tutorial's 23 failovers and its three walk-throughs: what breaks, and what must follow.

M, S and A are the primary, the synchronous and the asynchronous replica at the start. `continues`:
commits are acknowledged again within so many seconds, while what broke stays broken. `stops`: no
majority is left, so nothing may be acknowledged until it is repaired, and then within so many seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    number: str
    title: str
    faults: tuple  # (role, kind)
    continues: bool
    within: int


def _some(numbers, who, roles, kinds):
    """Three scenarios, network, postgres and power, in the tutorial's order."""
    made = []
    for number, (kind, continues, within) in zip(numbers, kinds):
        words = {"network": "loses its network", "power": "loses its power",
                 "postgres": "PostgreSQL is killed"}[kind]
        if len(roles) > 1:
            words = words.replace("loses its", "lose their")
        made.append(Scenario(str(number), f"{who}: {words}", tuple((role, kind) for role in roles),
                             continues, within))
    return made


SCENARIOS = [
    Scenario("a", "asynchronous node into standby and back", (("A", "standby"),), True, 10),
    Scenario("b", "synchronous node into standby and back", (("S", "standby"),), True, 15),
    Scenario("c", "primary into standby and back", (("M", "standby"),), True, 40),
    *_some((1, 2, 3), "primary", "M",
           (("network", True, 40), ("postgres", True, 60), ("power", True, 40))),
    Scenario("4", "primary: the replication address is lost", (("M", "replication-ip"),), True, 20),
    Scenario("5", "primary: the client address is lost", (("M", "client-ip"),), True, 15),
    *_some((6, 7, 8), "synchronous replica", "S",
           (("network", True, 40), ("postgres", True, 30), ("power", True, 40))),
    *_some((9, 10, 11), "asynchronous replica", "A",
           (("network", True, 10), ("postgres", True, 10), ("power", True, 10))),
    *_some((12, 13, 14), "both replicas", "SA",
           (("network", False, 90), ("power", False, 120), ("postgres", True, 40))),
    *_some((15, 16, 17), "primary and synchronous replica", "MS",
           (("network", False, 90), ("power", False, 120), ("postgres", True, 90))),
    *_some((18, 19, 20), "primary and asynchronous replica", "MA",
           (("network", False, 90), ("power", False, 120), ("postgres", True, 90))),
    *_some((21, 22, 23), "all nodes", "MSA",
           (("network", False, 90), ("power", False, 120), ("postgres", True, 120))),
]

SMOKE = Scenario("smoke", "primary: loses its power", (("M", "power"),), True, 60)

# Not failures but work: tests/lab/lives.py.
LIVES = [
    Scenario("switchover", "switchover to the synchronous standby", (), True, 20),
    Scenario("incomplete", "the synchronous standby's archive is lost: no switchover to it", (), True,
             40),
    Scenario("guide", "every command of this guide, and a node fenced by hand", (), True, 40),
    Scenario("replace", "a machine is lost with its disk and replaced", (), True, 40),
    Scenario("password", "the replication password is changed by hand, and made right", (), True, 30),
    Scenario("off_and_on", "all of it is stopped in order, and started again", (), True, 150),
    Scenario("point_in_time", "damaged data: the whole cluster goes back to a moment", (), True, 10),
    Scenario("upgrade", "rolling upgrade of pgwalship", (), True, 10),
    Scenario("second_site", "an archive and a standby at a second site", (), True, 10),
    Scenario("site_lost", "the second site takes over, and gives it back", (), True, 10),
    Scenario("add_node", "a member is added", (), True, 90),
]


def find(number):
    return next((s for s in [*SCENARIOS, SMOKE, *LIVES] if s.number == number), None)
