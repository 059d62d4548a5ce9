"""Who archives: pgwalship in its ways, and what a DBA can pick today. Each gives the
archive_command that it wants, and what has to be done before PostgreSQL starts."""

import os
import shutil
import subprocess

from stage import NODES, TOP


class Contender:
    def __init__(self, stage, name):
        self.stage, self.name = stage, name

    def prepare(self, data):
        """Nothing of what a round before has archived may be left."""
        self.configure(None)

    def configure(self, data, look_ahead=0, quorum="ANY 1 (*)"):
        """The daemons, with empty archives: those of a rival's round have nothing to do."""
        for node in NODES:
            subprocess.run([f"{TOP}/scripts/local-cluster", "kill", self.stage.dir, node],
                           check=True, stdout=subprocess.DEVNULL)
        for node in NODES:
            home = self.stage.dir / node
            shutil.rmtree(home / "archive")
            self.stage.run("mkdir", home / "archive")
            path = home / "pgwalship.conf"
            lines = [f"quorum = {quorum}" if line.startswith("quorum =") else line
                     for line in path.read_text().splitlines()
                     if not line.startswith(("[postgres]", "data-directory", "look-ahead"))]
            if node == "node1" and data:
                lines += ["[postgres]", f"data-directory = {data}", f"look-ahead = {look_ahead}"]
            self.stage.write(path, "\n".join(lines) + "\n")
        for node in NODES:
            subprocess.run([f"{TOP}/scripts/local-cluster", "restart", self.stage.dir, node],
                           check=True, stdout=subprocess.DEVNULL)
        self.stage.wait_quorum()

    def online(self, data):
        """Once the server runs."""


class Pgwalship(Contender):
    """look_ahead: how many segments; 0: as a plain archive_command."""

    def __init__(self, stage, name, look_ahead, quorum="ANY 1 (*)"):
        super().__init__(stage, name)
        self.look_ahead, self.quorum = look_ahead, quorum
        self.command = stage.pgwalship("node1") + " push %p %f"

    def prepare(self, data):
        self.configure(data, self.look_ahead, self.quorum)


class Floor(Contender):
    """cp, without fsync, on this node alone: nobody can do less."""

    def __init__(self, stage):
        super().__init__(stage, "cp, no fsync, no peer")
        self.target = stage.top / "copies"
        self.command = f"cp %p {self.target}/%f"

    def prepare(self, data):
        super().prepare(data)
        shutil.rmtree(self.target, ignore_errors=True)
        self.stage.run("mkdir", self.target)


def rival_key(stage):
    """One key for all rivals, on the same sshds as pgwalship, and an ssh that takes it."""
    key = stage.top / "rival_key"
    wrapper = stage.top / "rival_ssh"
    if not key.exists():
        stage.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        public = (stage.top / "rival_key.pub").read_text()
        for node in NODES[1:]:
            with open(stage.dir / node / "authorized_keys", "a") as keys:
                keys.write(f"restrict {public}")
        stage.write(wrapper, f"#!/bin/sh\nexec ssh -i {key} -o StrictHostKeyChecking=no "
                             f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \"$@\"\n", 0o755)
    return key, wrapper


class Tutorial(Contender):
    def __init__(self, stage):
        super().__init__(stage, "the tutorial's script, 2 peers")
        key, _ = rival_key(stage)
        self.script = stage.top / "tutorial-archive.sh"
        shutil.copy(TOP / "bench" / "tutorial-archive.sh", self.script)
        os.chmod(self.script, 0o755)
        peers = [f"127.0.0.1:{stage.port(node)}:{stage.dir}/{node}/rival" for node in NODES[1:]]
        self.command = (f"TUTORIAL_ARCHIVE={stage.dir}/node1/rival TUTORIAL_KEY={key} "
                        f"TUTORIAL_PEERS=\"{' '.join(peers)}\" {self.script} %p %f")

    def prepare(self, data):
        super().prepare(data)
        for node in NODES:
            shutil.rmtree(self.stage.dir / node / "rival", ignore_errors=True)
            self.stage.run("mkdir", self.stage.dir / node / "rival")


class PgBackRest(Contender):
    """Two repositories over ssh, asynchronous unless told otherwise."""

    def __init__(self, stage, name, compression="zst", level=3, asynchronous=True, repositories=2):
        super().__init__(stage, name)
        _, wrapper = rival_key(stage)
        self.home = stage.top / f"pgbackrest-{len(list(stage.top.glob('pgbackrest-*')))}"
        stage.run("mkdir", self.home)
        self.repositories = NODES[1:1 + repositories]
        self.settings = [f"cmd-ssh={wrapper}", f"compress-type={compression}",
                         f"compress-level={level}", "process-max=2",
                         f"archive-async={'y' if asynchronous else 'n'}",
                         f"spool-path={self.home}/spool", f"lock-path={self.home}/lock",
                         "log-level-file=off", "log-level-console=off"]
        self.config = self.home / "pgbackrest.conf"
        self.command = f"pgbackrest --config={self.config} --stanza=bench archive-push %p"

    def prepare(self, data):
        super().prepare(data)
        lines = ["[global]", *self.settings]
        for number, node in enumerate(self.repositories, 1):
            repository = self.stage.dir / node / self.home.name
            shutil.rmtree(repository, ignore_errors=True)
            self.stage.run("mkdir", repository)
            remote = repository / "pgbackrest.conf"
            self.stage.write(remote, f"[global]\nrepo{number}-path={repository}\n"
                                     f"lock-path={repository}/lock\nlog-level-file=off\n"
                                     f"[bench]\npg1-path={data}\n")
            lines += [f"repo{number}-path={repository}", f"repo{number}-host=127.0.0.1",
                      f"repo{number}-host-user={self.stage.user}",
                      f"repo{number}-host-port={self.stage.port(node)}",
                      f"repo{number}-host-config={remote}"]
        lines += ["[bench]", f"pg1-path={data}", f"pg1-socket-path={self.stage.top}"]
        shutil.rmtree(self.home / "spool", ignore_errors=True)
        self.stage.write(self.config, "\n".join(lines) + "\n")

    def online(self, data):
        self.stage.run("pgbackrest", f"--config={self.config}", "--stanza=bench", "stanza-create")
