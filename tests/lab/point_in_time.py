"""The point-in-time recovery of docs/cluster.md, block by block as it stands there, on a cluster whose
data was damaged."""

import re
import time

import guide
import recovery

BACKUP = "/var/lib/postgresql/backup"
HEADING = "**Point-in-time recovery.**"
STOP, DAEMON, RESCUE, CLEAR, COPY, RECOVER, SETTLE = range(7)  # the blocks, in their order


class PointInTime:
    def __init__(self, life):
        self.life, self.lab = life, life.lab
        self.blocks = guide.blocks(HEADING)

    def run(self, state):
        place = self.life.names[2]  # the guide's pgdb3
        self._back_up(place)
        self._damage(state.primary)
        for name in sorted(self.life.names, key=lambda name: name == state.primary):
            self._at(name, self._stop())
        for name in self.life.names:
            self._at(name, self._daemon())
        self._at(state.primary, self.blocks[RESCUE])
        for name in self.life.names:
            self._at(name, self.blocks[CLEAR])
        self._at(place, self.blocks[COPY])
        self._as_postgres(place, re.sub(r"(?<=recovery_target_time = ')[^']*", self.moment,
                                        self.blocks[RECOVER]))
        self.life.until(90, "the recovery ends", lambda: self._ask(
            place, "select pg_is_in_recovery()") == "f")
        if self._ask(place, "select count(*) from ledger") != self.rows:
            self.life.fail("the recovery did not end before the damage")
        self._as_postgres(place, f"cd {guide.DATA}\n{self.blocks[SETTLE]}")
        self.life.command("apply")
        self.life.wait_whole(120)
        if self.life.health().primary != place:
            self.life.fail(f"{place} is not the primary")
        for name in self.life.names:
            self._at(name, f"rm -r {guide.LOST}")
        self._at(place, f"rm -r {BACKUP}")

    def _back_up(self, place):
        self._as_postgres(place, f"{recovery.BIN}/pg_basebackup -D {BACKUP} -c fast -X none "
                                 "-d 'host=10.10.10.104 user=replicator passfile=/etc/pgwalship/replication.pgpass'")
        time.sleep(3)  # some commits
        self.life.writer.stop()

    def _damage(self, primary):
        self.rows = self._ask(primary, "select count(*) from ledger")
        self.moment = self._ask(primary, "select clock_timestamp()")
        time.sleep(1)
        recovery.psql(self.lab, primary, "delete from ledger")

    def _stop(self):
        return self.blocks[STOP] if self.life.with_systemd else guide.without_systemd(self.blocks[STOP])

    def _daemon(self):
        """Without systemd as the guide does it beneath Pacemaker."""
        return self.blocks[DAEMON] if self.life.with_systemd else self.life.daemon_alone()

    def _as_postgres(self, name, block):
        """What it starts must not hold on to our pipes."""
        self._at(name, f"cat >/tmp/block <<'END_OF_BLOCK'\n{block}\nEND_OF_BLOCK\n"
                       "cd /; runuser -u postgres -- sh -ex /tmp/block </dev/null >/tmp/block.log 2>&1 ||\n"
                       "{ cat /tmp/block.log >&2; exit 1; }")

    def _at(self, name, script):
        return self.lab.run_in(name, "sh", "-ec", script, timeout=120).stdout.strip()

    def _ask(self, name, sql):
        try:
            return recovery.psql(self.lab, name, sql)
        except RuntimeError:  # it is not up yet
            return ""
