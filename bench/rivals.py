"""Who archives: pgwalship in its ways, and what a DBA can pick today. Each gives the
archive_command that it wants, and what has to be done before and after PostgreSQL starts."""

import shutil


class Contender:
    """`slow`: it gets less to do, or a run would take all day."""

    slow = False

    def __init__(self, cluster, name):
        self.cluster, self.stage, self.name = cluster, cluster.stage, name

    def fresh(self, data, detours=None, **others):
        """The nodes with empty archives: of a rival's round the daemons have nothing to do."""
        self.cluster.fresh(detours=detours, **others)

    def prepare(self, data, detours=None):
        """Nothing of what a round before has archived is left."""

    def online(self, data):
        """Once the server runs."""

    def bytes(self):
        """What one peer holds of it."""
        return 0


class Pgwalship(Contender):
    """look_ahead: how many segments; 0: as a plain archive_command. sessions: to each peer."""

    def __init__(self, cluster, name, look_ahead=8, quorum="ANY 1 (*)", sessions=1, **others):
        super().__init__(cluster, name)
        self.look_ahead, self.quorum, self.others = look_ahead, quorum, others
        self.sessions = sessions
        self.command = cluster.command("push %p %f")

    def fresh(self, data, detours=None, **others):
        own = {"postgres.data-directory": data, "postgres.look-ahead": self.look_ahead,
               "ssh.sessions": self.sessions}
        self.cluster.fresh({"cluster.quorum": self.quorum}, detours=detours, node1=own,
                           **{**self.others, **others})

    def bytes(self):
        return sum(file.stat().st_size for file in self.cluster.archive("node1").glob("0*.gz"))


class Nothing(Contender):
    """What the call costs by itself."""

    def __init__(self, cluster, command="/bin/true"):
        super().__init__(cluster, command)
        self.command = command


class Floor(Contender):
    """cp, without fsync, on this node alone: nobody can do less."""

    def __init__(self, cluster):
        super().__init__(cluster, "cp, no fsync, no peer")
        self.target = self.stage.top / "copies"
        self.command = f"cp %p {self.target}/%f"

    def prepare(self, data, detours=None):
        self.stage.directory(self.target)


def rival_key(cluster):
    """One key for all rivals, on the same sshds as pgwalship, and an ssh that takes it."""
    key, wrapper = cluster.dir / "rival_key", cluster.dir / "rival_ssh"
    stage = cluster.stage
    if not key.exists():
        stage.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        public = (cluster.dir / "rival_key.pub").read_text()
        for node in cluster.nodes:
            with open(cluster.dir / node / "authorized_keys", "a") as keys:
                keys.write(f"restrict {public}")
        stage.write(wrapper, f"#!/bin/sh\nexec ssh -F none -i {key} -o StrictHostKeyChecking=no "
                             f"-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \"$@\"\n", 0o755)
    return key, wrapper


class Tutorial(Contender):
    slow = True

    def __init__(self, cluster):
        super().__init__(cluster, "the tutorial's script, 2 peers")
        self.key, _ = rival_key(cluster)
        self.script = self.stage.program("tutorial-archive.sh")

    def prepare(self, data, detours=None):
        for node in self.cluster.nodes:
            self.stage.directory(self.cluster.dir / node / "rival")
        ports = {node: self.cluster.port(node) for node in self.cluster.nodes[1:]}
        ports.update(detours or {})
        peers = [f"127.0.0.1:{port}:{self.cluster.dir}/{node}/rival"
                 for node, port in ports.items()]
        self.command = (f"TUTORIAL_ARCHIVE={self.cluster.dir}/node1/rival TUTORIAL_KEY={self.key} "
                        f"TUTORIAL_PEERS=\"{' '.join(peers)}\" {self.script} %p %f")


class PgBackRest(Contender):
    """Repositories on the peers over ssh, asynchronous unless told otherwise."""

    def __init__(self, cluster, name, compression="zst", level=3, asynchronous=True,
                 repositories=2, slow=False):
        super().__init__(cluster, name)
        self.slow = slow
        _, wrapper = rival_key(cluster)
        self.home = self.stage.top / f"pgbackrest-{len(list(self.stage.top.glob('pgbackrest-*')))}"
        self.stage.run("mkdir", self.home)
        self.repositories = cluster.nodes[1:1 + repositories]
        self.settings = [f"cmd-ssh={wrapper}", f"compress-type={compression}", "process-max=2",
                         *([f"compress-level={level}"] if compression != "none" else []),
                         f"archive-async={'y' if asynchronous else 'n'}",
                         f"spool-path={self.home}/spool", f"lock-path={self.home}/lock",
                         "log-level-file=off", "log-level-console=off"]
        self.config = self.home / "pgbackrest.conf"
        self.client = f"pgbackrest --config={self.config} --stanza=bench"
        self.command = f"{self.client} archive-push %p"
        self.restore = f"{self.client} archive-get %f %p"

    def repository(self, node):
        return self.cluster.dir / node / self.home.name

    def configure(self, data, detours=None):
        """For the server in `data`; the repositories stay as they are."""
        lines = ["[global]", *self.settings]
        for number, node in enumerate(self.repositories, 1):
            repository = self.repository(node)
            remote = repository / "pgbackrest.conf"
            self.stage.write(remote, f"[global]\nrepo{number}-path={repository}\n"
                                     f"lock-path={repository}/lock\nlog-level-file=off\n"
                                     f"[bench]\npg1-path={data}\n")
            port = (detours or {}).get(node, self.cluster.port(node))
            lines += [f"repo{number}-path={repository}", f"repo{number}-host=127.0.0.1",
                      f"repo{number}-host-user={self.stage.user}", f"repo{number}-host-port={port}",
                      f"repo{number}-host-config={remote}"]
        lines += ["[bench]", f"pg1-path={data}", f"pg1-socket-path={self.stage.top}"]
        shutil.rmtree(self.home / "spool", ignore_errors=True)
        self.stage.write(self.config, "\n".join(lines) + "\n")

    def prepare(self, data, detours=None):
        for node in self.repositories:
            self.stage.directory(self.repository(node))
        self.configure(data, detours)

    def online(self, data):
        self.stage.run(*self.client.split(), "stanza-create")

    def bytes(self):
        return sum(file.stat().st_size for file in
                   self.repository(self.repositories[0]).glob("archive/**/0*-*"))


def available():
    return shutil.which("pgbackrest") is not None
