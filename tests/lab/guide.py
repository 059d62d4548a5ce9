"""The commands of docs/cluster.md: which there are, and what proves each."""

import pathlib
import re

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs/cluster.md"

_PROGRAM = (r"(?:apt-get|apt-ftparchive|cmake|scripts/\w|tests/lab/lab|pgwalship(?:-cluster)? |crm_mon|"
            r"stonith_admin|cibadmin|systemctl|hostnamectl|pg_dropcluster|pg_ctl|ssh |mkdir)")

# As they stand in the guide, in the order in which the scenario `guide` runs them on a whole cluster:
# from where an administrator works, or on a node.
ADMIN, NODE = "from outside", "on a node"
RUN = {
    "ssh root@pgdb1.example.com": ADMIN,
    "pgwalship-cluster secret /etc/pgwalship/fence/ipmi1 < password": ADMIN,
    "pgwalship-cluster -c pgwalship.conf render": ADMIN,
    "pgwalship-cluster -c pgwalship.conf plan": ADMIN,
    "pgwalship-cluster -c pgwalship.conf apply": ADMIN,
    "pgwalship-cluster -c pgwalship.conf verify": ADMIN,
    "pgwalship-cluster apply": ADMIN,
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
    "pg_dropcluster 15 main": "the lab's PostgreSQL is installed with create_main_cluster = false",
    "stonith_admin --reboot pgdb2.example.com": "the scenario guide, which waits for the end of it",
    "pgwalship-cluster rejoin pgdb1.example.com": "scenarios 1 to 3 and 12 to 23, whoever it was",
    "pgwalship rescue": "by rejoin",
    "pgwalship-cluster upgrade 'apt-get install -y pgwalship'": "the scenario upgrade",
    "pg_ctl promote": "the end of the scenario add_node's machine; a person's decision",
    "systemctl stop pacemaker corosync": "tests/lab/lab up --init systemd, at apply",
    "apt-get install apt-utils": "tests/cluster/mirror",
    "mkdir -p /srv/mirror && cd /srv/mirror": "tests/cluster/mirror",
    "apt-get -o Dir::Cache::archives=/srv/mirror -o Dir::State::status=/dev/null install "
    "--download-only -y --no-install-recommends corosync pacemaker pacemaker-cli-utils "
    "resource-agents fence-agents postgresql-15": "tests/cluster/mirror",
    "apt-ftparchive packages . > Packages": "tests/cluster/mirror",
}


def commands(text=None):
    """Every command of the guide: indented lines, continued ones joined, and `code` in sentences."""
    text = GUIDE.read_text() if text is None else text
    found = []
    for line in re.findall(rf"(?m)^ {{4,}}(?:\$ )?({_PROGRAM}(?:[^\n]*\\\n)*[^\n]*)", text):
        found.append(" ".join(line.replace("\\\n", " ").split("  #")[0].split()))
    for words in re.findall(rf"(?<!`)`({_PROGRAM}[^`]*)`", text):
        found.append(" ".join(words.split()))
    return list(dict.fromkeys(found))
