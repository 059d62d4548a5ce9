"""Does the running cluster do what the file says? Everything that differs, one line each."""

from . import cib, facts, health, postgres
from .apply import behind, corosync_behind
from .edge import Site
from .remote import RemoteError


class Verify(Site):
    def verify(self):
        wrong = []
        try:
            found = self.facts()
        except RemoteError as error:
            return [str(error)]
        secret = self.secrets(found)
        if not (secret.authkey and secret.replication_password):
            return ["no node has the cluster's keys (HINT: pgwalship-cluster apply)"]
        for node in self.cluster.nodes:
            for file in facts.stale(self.wanted_files(node, found, secret), found[node]):
                wrong.append(f"{node.name}: {file.path} is not as rendered")
            if behind(found[node], []):
                wrong.append(f"{node.name}: pgwalshipd runs with older files (HINT: pgwalship-cluster "
                             "apply starts it again)")
        for node in self.cluster.members:
            wrong += self._services(node, found[node])
        wrong += self._password(found, secret)
        for node in corosync_behind(self.cluster, found):
            wrong.append(f"{node.name}: corosync runs with another list of nodes")
        first = self.cluster.members[0]
        running = self.remote.run(first, "cibadmin --query")
        wrong += cib.differences(self.cluster, running)
        wrong += [f"constraints: '{ident}' was made by hand (HINT: crm_resource --clear)"
                  for ident in cib.made_by_hand(running)]
        wrong += health.troubles(self.cluster, self.health())
        wrong += [words for node in self.cluster.outsiders if (words := self.outside_trouble(node))]
        wrong += self._settings()
        return wrong

    def _password(self, found, secret):
        """Replication that runs goes on with a wrong password, until the first standby connects anew."""
        hint = " (HINT: pgwalship-cluster apply makes them the same)"
        primary = self.unfit_role(found, secret)
        if primary:
            return [f"{primary.name}: the role {self.cluster.replication_user} does not take the "
                    f"password of {postgres.PASSWORD_FILE}: a standby cannot connect again{hint}"]
        if not any(found[node].role for node in self.cluster.members):
            return []  # no primary: said elsewhere
        others = [node for node in self.cluster.nodes if not found[node].role and found[node].database]
        return [words + hint for node in others if (words := self.login(node))]

    @staticmethod
    def _services(node, have):
        wrong = []
        for name in ("corosync", "pacemaker"):
            if name not in have.enabled:
                wrong.append(f"{node.name}: {name} does not start by itself")
        for name in sorted(have.enabled & {"postgresql", "pgwalshipd"}):
            wrong.append(f"{node.name}: {name} starts by itself, beside Pacemaker")
        return wrong

    def _settings(self):
        """What PostgreSQL runs with and would not after a restart, or the other way round."""
        wrong = []
        for node in self.cluster.members:
            answer = self.remote.ask(node, f"""
runuser -u postgres -- {self.cluster.postgres_bin}/psql -XAtq -p {self.cluster.postgres_port} -d postgres \\
    -c "select name from pg_settings where pending_restart" \\
    -c "select sourcefile || ':' || sourceline || ' ' || error from pg_file_settings where error is not null" \\
    -c "select 'pg_hba.conf:' || line_number || ' ' || error from pg_hba_file_rules where error is not null"
""")
            for line in answer.out.splitlines():
                wrong.append(f"{node.name}: PostgreSQL: {line}" +
                             (" needs a restart" if " " not in line else ""))
        return wrong
