"""The nodes as they are now: the acting edge that apply, verify and life share."""

import base64
import secrets as random
import time

from . import cib, facts, files, health, postgres, scripts
from .remote import RemoteError


class Refused(Exception):
    """What was asked cannot be done as things are; says why and what to do."""


class Site:
    def __init__(self, cluster, remote, say=print):
        self.cluster = cluster
        self.remote = remote
        self.say = say

    def secrets(self, found):
        """What most members have; of several passwords the one that the primary's role takes."""
        members = self.cluster.members
        key = next((base64.b64decode(self.remote.run(node, f"base64 {files.AUTHKEY}"))
                    for node in facts.holders(found, members, "authkey")), b"")
        passwords = [self.remote.run(node, f"cat {postgres.PASSWORD_FILE}").strip().rpartition(":")[2]
                     for node in facts.holders(found, members, "password")]
        stored = next((found[node].role for node in members if found[node].role), "")
        return files.Secrets(key, next(
            (word for word in passwords if postgres.scram_fits(word, stored)),
            passwords[0] if passwords else ""))

    @staticmethod
    def complete(secret):
        """With what no node has yet."""
        return files.Secrets(secret.authkey or random.token_bytes(256),
                             secret.replication_password or random.token_urlsafe(24))

    def unfit_role(self, found, secret):
        """The primary, when its replication role does not take the password of the nodes' files."""
        return next((node for node in self.cluster.members if found[node].role and not
                     postgres.scram_fits(secret.replication_password, found[node].role)), None)

    def login(self, node):
        """Why a node's standby could not connect to the primary; nothing: it can."""
        answer = self.remote.ask(node, scripts.login(self.cluster), timeout=30)
        if answer.code == 0:
            return ""
        said = (answer.out.strip() or answer.err.strip() or "no answer").splitlines()[0]
        return (f"{node.name}: {self.cluster.replication_user} cannot log in at the primary: "
                f"{said.removeprefix('psql: error: ')}")

    def facts(self, nodes=None):
        """Two looks: keys first, since what the files should be depends on them."""
        nodes = nodes or self.cluster.nodes
        everything = {node: files.node_files(self.cluster, node, None, files.Collected(), True)
                      for node in nodes}
        return {node: facts.parse(text) for node, text in self.remote.run_all(
            {node: scripts.facts(self.cluster, everything[node]) for node in nodes}).items()}

    def wanted_files(self, node, found, secret):
        collected = files.Collected(
            {n.name: f.link_key for n, f in found.items() if f.link_key},
            {n.name: f.host_keys for n, f in found.items()})
        return files.node_files(self.cluster, node, secret, collected,
                                found[node].database == "yes")

    def outside_trouble(self, node, patience=0):
        """What is wrong with the standby of a node outside of the cluster; nothing: all is well."""
        end = time.monotonic() + patience
        while True:
            answer = self.remote.ask(node, scripts.ask_server(self.cluster, postgres.OUTSIDE_SQL), 30)
            said = answer.out.strip() if answer.code == 0 else "does not run"
            if not said:
                return ""
            if time.monotonic() >= end:
                return (f"{node.name}: its standby {said} (HINT: journalctl -u pgwalship-standby, or "
                        "its log, there)")
            time.sleep(1)

    def health(self, among=None):
        """From the first member that answers and has a coordinator."""
        last = health.Health()
        for node in among or self.cluster.members:
            try:
                answer = self.remote.ask(node, health.QUERY, timeout=15)
            except RemoteError:
                continue
            if answer.code == 0 and answer.out:
                last = health.parse(answer.out)
                if last.dc:
                    return last
        return last

    def wait(self, what, condition, timeout, among=None):
        """Until `condition(health)` gives no troubles (a list of words)."""
        end = time.monotonic() + timeout
        said = None
        while True:
            state = self.health(among)
            wrong = condition(state)
            if not wrong:
                return state
            if wrong != said:
                said = wrong
                self.say(f"  waiting until {what}: {'; '.join(wrong[:3])}")
            if time.monotonic() > end:
                raise Refused(f"waited for {timeout} s until {what}: {'; '.join(wrong)} (HINT: "
                              "pgwalship-cluster verify, and crm_mon -1Arf on any node, show more; a "
                              "node whose PostgreSQL refuses to start is brought back by rejoin NODE)")
            time.sleep(1)

    def wait_whole(self, timeout=180):
        return self.wait("the cluster is whole",
                         lambda state: health.troubles(self.cluster, state), timeout)

    def push_cib(self, node):
        """Makes our sections of the CIB as rendered, in one step."""
        running = self.remote.run(node, "cibadmin --query")
        wrong = cib.differences(self.cluster, running)
        if not wrong:
            return []
        old, new = cib.without_status(running), cib.merged(self.cluster, running)
        # A changed parameter restarts the server everywhere, unless Pacemaker looks at it anew in
        # between, with its hands tied.
        careful = cib.restarts_postgresql(wrong) and "<lrm_rsc_op" in running \
            and 'name="maintenance-mode" value="true"' not in running
        if careful:
            self.say("  in maintenance mode meanwhile: nothing is stopped or moved")
            self.remote.run(node, "crm_attribute -n maintenance-mode -v true")
        try:
            self._patch(node, old, new)
            if careful:
                self.remote.run(node, "crm_resource --refresh >/dev/null 2>&1; "
                                "crm_resource --wait --timeout 60s >/dev/null 2>&1 || true")
        finally:
            if careful:
                self.remote.run(node, "crm_attribute -n maintenance-mode -D")
        return wrong

    def _patch(self, node, old, new):
        self.remote.run(node, f"""
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
cat >"$d/old" <<'END_OF_CIB'
{old}
END_OF_CIB
cat >"$d/new" <<'END_OF_CIB'
{new}
END_OF_CIB
crm_verify --xml-file "$d/new" >&2
crm_diff --no-version --original "$d/old" --new "$d/new" >"$d/patch" || [ $? = 1 ]
cibadmin --patch --xml-file "$d/patch"
""")
