"""Whose CPU it was, daemons and their children included, and what still runs at the end."""

import ctypes
import os
import pathlib
import resource
import shutil
import signal
import time

CGROUPS = pathlib.Path("/sys/fs/cgroup")
PR_SET_CHILD_SUBREAPER = 36
GROUPS = ("peers", "tools")  # besides the server's, which is the group above them


def own_group():
    """Where this process is, in the hierarchy that counts CPU (cgroup 1 or 2)."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return next((CGROUPS / name for name in (controllers, "cpuacct")
                         if (CGROUPS / name).is_dir()), CGROUPS) / path.lstrip("/")
        if number == "0" and (CGROUPS / "cgroup.controllers").exists():
            return CGROUPS / path.lstrip("/")
    raise OSError("no hierarchy of cgroups counts CPU")


def group_seconds(group):
    usage = group / "cpuacct.usage"
    if usage.exists():
        return int(usage.read_text()) / 1e9
    fields = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return int(fields["usage_usec"]) / 1e6


class CpuAccount:
    """Counts by cgroups where they may be made, and then tells the peers' part from the server's.
    Elsewhere by the times of all descendants, which this process adopts when their parents end.
    This process itself, and what is put into the group `tools`, does not count."""

    def __init__(self):
        self.waited_for = set()  # children whose end somebody else waits for
        self.group = None
        try:
            self.parent = own_group()
            group = self.parent / f"pgwalship-bench-{os.getpid()}"
            group.mkdir()
            for name in GROUPS:
                (group / name).mkdir()
            (group / "cgroup.procs").write_text(str(os.getpid()))
            self.group = group
        except OSError:
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)

    def give_to(self, user):
        """That user's processes may enter the groups."""
        if self.group:
            for group in (self.group, *(self.group / name for name in GROUPS)):
                shutil.chown(group / "cgroup.procs", user)

    def enter(self, name):
        """For Popen's preexec_fn: the child goes to that group."""
        if not self.group or name == "server":
            return None
        procs = self.group / name / "cgroup.procs"
        return lambda: procs.write_text(str(os.getpid()))

    def seconds(self):
        """(server, peers); without cgroups all of it is the server's."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        if self.group:
            peers, tools = (group_seconds(self.group / name) for name in GROUPS)
            total = group_seconds(self.group)
            return total - peers - tools - own.ru_utime - own.ru_stime, peers
        self.reap()
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        ticks = sum(sum(times) for _, _, times in self.descendants())
        return children.ru_utime + children.ru_stime + ticks / os.sysconf("SC_CLK_TCK"), 0.0

    def descendants(self):
        """(pid, state, times) of each."""
        known = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            known[int(entry.name)] = (int(fields[1]), fields[0], [int(t) for t in fields[11:15]])
        found, wanted = [], {os.getpid()}
        while wanted:
            wanted = {pid for pid, (parent, _, _) in known.items() if parent in wanted}
            found += [(pid, known[pid][1], known[pid][2]) for pid in wanted]
        return found

    def reap(self):
        """The ends of adopted ones."""
        for pid, state, _ in self.descendants():
            if state == "Z" and pid not in self.waited_for:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # another one's child

    def running(self):
        if not self.group:
            return [pid for pid, state, _ in self.descendants() if state != "Z"]
        files = [self.group / "cgroup.procs"] + [self.group / name / "cgroup.procs"
                                                 for name in GROUPS]
        pids = {int(pid) for file in files for pid in file.read_text().split()}
        return sorted(pids - {os.getpid()})

    def close(self):
        """Nothing that was started below this process outlives it."""
        deadline = time.monotonic() + 10
        while (left := self.running()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.reap()
            time.sleep(0.05)
        self.reap()
        if self.group:
            (self.parent / "cgroup.procs").write_text(str(os.getpid()))
            for name in GROUPS:
                (self.group / name).rmdir()
            self.group.rmdir()
            self.group = None
