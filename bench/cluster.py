"""Nodes of scripts/local-cluster, started anew with another configuration for each round."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess

from stage import TOP, wait_until

LOCAL_CLUSTER = TOP / "scripts" / "local-cluster"


class Cluster:
    """Everything of the first node counts as the server's, of the others as the peers'."""

    def __init__(self, stage, name="c", nodes=3):
        self.stage, self.dir = stage, stage.top / name
        self.nodes = [f"node{number}" for number in range(1, nodes + 1)]
        options = ["--bin", stage.binaries] if stage.binaries else []
        stage.clusters.append(self)
        self.control("up", "--nodes", nodes, *options)
        self.pristine = {node: self.conf(node).read_text() for node in self.nodes}
        self.hosts = {node: (self.dir / node / "known_hosts").read_text() for node in self.nodes}
        for node in self.nodes:
            self.restart(node)  # the peers' among the peers

    def control(self, action, *arguments, side="server"):
        done = subprocess.run([str(word) for word in (LOCAL_CLUSTER, action, self.dir, *arguments)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              preexec_fn=self.stage.account.enter(side))
        if done.returncode != 0:
            raise SystemExit(f"bench: {done.stderr}")

    def conf(self, node):
        return self.dir / node / "pgwalship.conf"

    def archive(self, node):
        return self.dir / node / "archive"

    def kill(self, node):
        self.control("kill", node)

    def start(self, node):
        self.control("restart", node, side="server" if node == self.nodes[0] else "peers")

    def restart(self, node):
        self.kill(node)
        self.start(node)

    def pid(self, node):
        return int((self.dir / node / "pgwalshipd.pid").read_text())

    def stop_daemon(self, node):
        """Its sshd stays, and with it what a peer asks for."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(node), 9)

    def receivers(self, node):
        return [int(pid) for pid in subprocess.run(
            ["pgrep", "-f", f"^[^ ]*pgwalship --config {self.conf(node)} receive"], text=True,
            capture_output=True).stdout.split()]

    def fresh(self, everywhere=None, detours=None, keep=False, without_daemon=(), down=(), **nodes):
        """Starts all nodes anew, with empty archives unless told to keep them. Settings are
        {"section.key": value}, of all nodes and of each; `detours` is {node: port}, where the
        others reach that node."""
        for node in self.nodes:
            self.kill(node)
        for node in self.nodes:
            if not keep:
                shutil.rmtree(self.archive(node))
                self.stage.directory(self.archive(node))
            settings = {**(everywhere or {}), **nodes.get(node, {})}
            text = with_settings(self.pristine[node], settings)
            hosts = self.hosts[node]
            for other, port in (detours or {}).items():
                text = text.replace(f"port={self.port(other)}", f"port={port}")
                hosts += hosts_line(self.hosts[node], self.port(other), port)
            self.stage.write(self.conf(node), text)
            self.stage.write(self.dir / node / "known_hosts", hosts)
        for node in self.nodes:
            if node not in down:
                self.start(node)
        for node in without_daemon:  # once it has made its archive: a receiver alone makes none
            wait_until(lambda node=node: self.status(node), 20, f"{node}'s daemon answers")
            self.stop_daemon(node)
        first = next(node for node in self.nodes if node not in (*down, *without_daemon))
        wait_until(lambda: all(self.peers(first).get(peer, {}).get("counts") for peer in self.nodes
                               if peer not in (first, *down)), 60, f"all peers of {first} count")

    def port(self, node):
        lines = (self.dir / node / "sshd" / "sshd_config").read_text().splitlines()
        return next(line.split()[1] for line in lines if line.startswith("Port "))

    def command(self, verb, node="node1"):
        return f"{self.dir}/bin/pgwalship --config {self.conf(node)} {verb}"

    def status(self, node="node1"):
        done = subprocess.run(self.command("status --json", node).split(), capture_output=True,
                              cwd=self.stage.top, **self.stage.as_user)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}

    def peers(self, node="node1"):
        return {peer["node"]: peer for peer in self.status(node).get("peers", [])}

    def wait_quorum(self, node="node1", seconds=60):
        wait_until(lambda: self.status(node).get("quorum", {}).get("held"), seconds,
                   f"{node} has its quorum")

    def wait_current(self, node, peer, seconds=60):
        wait_until(lambda: self.peers(node).get(peer, {}).get("state") == "current", seconds,
                   f"{node} and {peer} hold the same")

    def close(self):
        subprocess.run([LOCAL_CLUSTER, "down", self.dir], stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False)


def hosts_line(hosts, port, other):
    """The same host key under another port."""
    return "".join(line.replace(f":{port} ", f":{other} ") + "\n" for line in hosts.splitlines()
                   if f":{port} " in line)


def with_settings(text, settings):
    """The configuration `text` with {"section.key": value} set."""
    wanted = {}
    for name, value in settings.items():
        section, key = name.split(".")
        wanted.setdefault(section, {})[key] = value
    lines, section = [], None
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
            lines += [line, *(f"{k} = {v}" for k, v in wanted.pop(section, {}).items())]
        elif f"{section}.{line.split(' =')[0]}" not in settings:
            lines.append(line)
    for section, keys in wanted.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def peak_kilobytes(pid):
    """The most memory that it has had since forget_peak()."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def resident_kilobytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def forget_peak(pid):
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")


def process_seconds(pid):
    """CPU of one process, all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
