"""barman-wal-archive: Debian's barman-cli, to the barman of one peer over ssh."""

import shutil

import rivals


class Barman(rivals.Contender):
    slow = True

    def __init__(self, cluster):
        super().__init__(cluster, "barman-wal-archive, 1 host")
        _, wrapper = rivals.rival_key(cluster)
        self.home = cluster.dir / "node2" / "barman"
        self.conf = cluster.dir / "node2" / "barman.conf"
        # It asks for `barman put-wal SERVER` on the other machine; the configuration has no other
        # way in than the environment of that command.
        self.path = self.stage.directory(cluster.dir / "barman-path")
        self.wrapper = self.path / "ssh"
        self.ssh = wrapper

    def prepare(self, data, detours=None):
        for name in ("", "bench", "bench/incoming", "bench/wals", "bench/errors"):
            self.stage.run("mkdir", "-p", self.home / name)
        self.stage.directory(self.home / "bench/incoming")
        port = (detours or {}).get("node2", self.cluster.port("node2"))
        self.stage.write(self.conf, f"[barman]\nbarman_home = {self.home}\nlog_file = /dev/null\n"
                                    f"barman_lock_directory = {self.home}\n[bench]\n"
                                    "description = bench\nactive = true\narchiver = on\n"
                                    f"ssh_command = true\nconninfo = host={self.stage.top}\n")
        self.stage.write(self.wrapper, f"""#!/bin/sh
# The last argument is the command: it gets the configuration.
for last; do :; done
exec {self.ssh} -T -p {port} {self.stage.user}@127.0.0.1 \\
  "$(echo "$last" | sed "s|^'\\?barman'\\? |barman -c {self.conf} |")"
""", 0o755)
        self.command = (f"PATH={self.path}:$PATH barman-wal-archive -U {self.stage.user} "
                        "127.0.0.1 bench %p")


def available():
    return all(shutil.which(name) for name in ("barman", "barman-wal-archive"))
