"""The commands of docs/cluster.md: which there are, and what proves each."""

import pathlib
import re

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/cluster.md"

_PROGRAM = (r"(?:apt-get|apt-ftparchive|cmake|scripts/\w|tests/lab/lab|pgwalship(?:-cluster)? |crm_mon|"
            r"stonith_admin|cibadmin|crm_resource|systemctl|journalctl|hostnamectl|pg_dropcluster|pg_ctl|"
            r"ssh |mkdir|runuser|psql|kill |ip |rm |mv )")

# As they stand in the guide, in the order in which the scenario `guide` runs them on a whole cluster:
# from where an administrator works, or on a node.
ADMIN, NODE = "from outside", "on a node"
RUN = {
    "ssh root@pgdb1.example.com": ADMIN,
    "pgwalship-cluster secret /etc/pgwalship/fence/ipmi1 < password": ADMIN,
    "pgwalship-cluster render": ADMIN,
    "pgwalship-cluster plan": ADMIN,
    "pgwalship-cluster apply": ADMIN,
    "pgwalship-cluster verify": ADMIN,
    "pgwalship-cluster status": ADMIN,
    "cibadmin --query": NODE,
    "crm_mon -1Arf": NODE,
    "pgwalship status": NODE,
    "pgwalship timeline": NODE,
    "pgwalship check": NODE,
    "pgwalship-cluster standby pgdb2.example.com": ADMIN,
    "pgwalship-cluster unstandby pgdb2.example.com": ADMIN,
    "pgwalship-cluster switchover": ADMIN,
}

# Of a second site, in the scenario site_lost.
PROMOTE = ("runuser -u postgres -- /usr/lib/postgresql/15/bin/pg_ctl -D /var/lib/postgresql/15/main "
           "promote")
_STOP = "systemctl disable --now pacemaker corosync"
_FORGET = "rm -f /etc/corosync/corosync.conf /var/lib/postgresql/pacemaker/PGSQL.lock"
DATA, LOST = "/var/lib/postgresql/15/main", "/var/lib/postgresql/15/lost"
_KEEP = f"mv {DATA} {LOST}"
CLEAR = f"{_STOP}\n{_FORGET}\n{_KEEP}"
STOP_STANDBY = "systemctl stop pgwalship-standby"

_RECOVERY = "the scenario point_in_time"

# What cannot be run just so on a whole cluster, and where it is run instead.
ELSEWHERE = {
    "scripts/install-deps": "scripts/test",
    "cmake --preset release && cmake --build --preset release": "scripts/test",
    "tests/lab/lab up": "lab smoke",
    "tests/lab/lab up --init systemd": "by hand: it is slower and tests the same, but for systemctl",
    "tests/lab/lab status": "the scenario guide, as crm_mon",
    "tests/lab/lab kill pgdb1": "lab smoke",
    "tests/lab/lab on pgdb1": "lab smoke",
    "tests/lab/lab cluster rejoin pgdb1": "lab smoke",
    "tests/lab/lab down": "lab smoke",
    "tests/lab/lab run all": "scripts/test --long",
    "hostnamectl set-hostname pgdb1.example.com": "a machine that is made has its name",
    "apt-get install corosync pacemaker pacemaker-cli-utils resource-agents fence-agents "
    "postgresql-15 openssh-server pgwalship": "roots.PACKAGES; compared by tests/cluster/guide_test",
    "scripts/package": "the test package.deb",
    "pg_dropcluster --stop 15 main": "the lab's PostgreSQL is installed with create_main_cluster = false",
    "stonith_admin --reboot pgdb2.example.com": "the scenario guide, which waits for the end of it",
    "pgwalship-cluster rejoin pgdb1.example.com": "scenarios 1 to 3 and 12 to 23, whoever it was",
    "pgwalship rescue": "by rejoin",
    "pgwalship-cluster upgrade 'apt-get install -y pgwalship'": "the scenario upgrade",
    PROMOTE: "the scenario site_lost",
    _STOP: "the scenario site_lost; without systemd by service and update-rc.d",
    _FORGET: "the scenario site_lost",
    _KEEP: "the scenario site_lost",
    STOP_STANDBY: "the scenario site_lost, with tests/lab/lab up --init systemd",
    "systemctl restart pgwalshipd": "by apply, in second_site with --init systemd",
    "systemctl disable --now pgwalship-standby": "by apply, when it becomes a member: add_node",
    "systemctl start pgwalshipd": "the scenario point_in_time; without systemd by the resource agent",
    "runuser -u postgres -- pgwalship rescue /var/lib/postgresql/15/main": _RECOVERY,
    "rm -f standby.signal": _RECOVERY,
    "pg_ctl -D . stop": "by hand: the first try was the right one",
    'psql -c "ALTER SYSTEM RESET recovery_target_time" -c "ALTER SYSTEM RESET recovery_target_action"':
        _RECOVERY,
    'psql -c "ALTER SYSTEM RESET restore_command" -c "SELECT pg_switch_wal()"': _RECOVERY,
    "journalctl -u pgwalship-standby": "by hand; the unit: second_site with --init systemd",
    "systemctl stop pacemaker corosync": "the scenario off_and_on; without systemd by service",
    "systemctl start corosync pacemaker": "the scenario off_and_on; without systemd by service",
    "runuser -u postgres -- createuser --pwprompt app": "asks a person; course.LEDGER does it in SQL",
    "psql -h 10.10.10.105 -U app postgres": "asks a person; witnesses.Writer logs in so",
    "crm_mon -Arf -i1": "has no end; the scenario guide, as crm_mon -1Arf",
    "crm_resource --cleanup": "by rejoin, for one resource and node",
    "kill -9 $(head -n1 /var/lib/postgresql/15/main/postmaster.pid)": "scenarios 2, 7, 10 and others",
    "ip address del 10.10.10.105/24 dev eth0": "scenario 5",
    "apt-get install apt-utils": "tests/cluster/mirror",
    "mkdir -p /srv/mirror && cd /srv/mirror": "tests/cluster/mirror",
    "apt-get -o Dir::Cache::archives=/srv/mirror -o Dir::State::status=/dev/null install "
    "--download-only -y --no-install-recommends corosync pacemaker pacemaker-cli-utils "
    "resource-agents fence-agents postgresql-15": "tests/cluster/mirror",
    "apt-ftparchive packages . > Packages": "tests/cluster/mirror",
}


def without_systemd(block):
    return block.replace(_STOP, "for s in pacemaker corosync; do service $s stop; update-rc.d $s disable; done")


def blocks(heading):
    """The indented blocks from this heading, which begins a paragraph in bold, to the next one."""
    part = GUIDE.read_text().partition(heading)[2].partition("\n\n**")[0]
    found = re.findall(r"(?m)(?:^ {4}[^\n]*\n)+", part)
    return [re.sub(r"(?m)^ {4}", "", block).rstrip() for block in found]


def commands(text=None):
    """Every command of the guide: indented lines, continued ones joined, and `code` in sentences."""
    text = GUIDE.read_text() if text is None else text
    found = []
    for line in re.findall(rf"(?m)^ {{4,}}(?:\$ )?({_PROGRAM}(?:[^\n]*\\\n)*[^\n]*)", text):
        found.append(" ".join(line.replace("\\\n", " ").split("  #")[0].split()))
    for words in re.findall(rf"(?<!`)`({_PROGRAM}[^`]*)`", text):
        found.append(" ".join(words.split()))
    return list(dict.fromkeys(found))
