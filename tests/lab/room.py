"""The machine room from outside: made, entered, ended."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import roots

HERE = pathlib.Path(__file__).resolve().parent
CONFIG = (HERE / "pgwalship.conf").read_text()
ROOM_ADDRESSES = ["10.10.10.1/24", "10.10.20.1/24"]
MACHINES = {f"pgdb{n}.example.com": [f"10.10.10.10{n}/24", f"10.10.20.10{n}/24"]
            for n in (1, 2, 3)}
# Machines that are there and off: for adding and replacing nodes, and a second site.
SPARES = {"pgdb4.example.com": ["10.10.10.106/24", "10.10.20.106/24"]}


class Lab:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.shared = self.directory / "shared"

    # -- inside of the room's namespaces, or not
    @property
    def pid(self):
        """The room's first process, as the caller's /proc shows it; 0: there is none."""
        try:
            pid = int((self.directory / "room.pid").read_text())
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            return pid if b"machines.py" in command else 0
        except (OSError, ValueError):
            return 0

    def enter(self):
        """Runs this program again inside of the room."""
        if os.environ.get("PGWALSHIP_LAB_INSIDE") == str(self.directory):
            return
        if not self.pid:
            raise SystemExit("lab: it is not up (HINT: tests/lab/lab up)")
        os.environ["PGWALSHIP_LAB_INSIDE"] = str(self.directory)
        os.execvp("nsenter", ["nsenter", "-t", str(self.pid), "-m", "-n", "-p",
                              f"--wd={os.getcwd()}", sys.executable, "-B", *sys.argv])

    def ask(self, *words):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(str(self.shared / "power.sock"))
            connection.sendall((" ".join(words) + "\n").encode())
            text = b""
            while block := connection.recv(4096):
                text += block
        answer = text.decode().strip()
        if answer.startswith(("error", "unknown")):
            raise RuntimeError(f"{' '.join(words)}: {answer}")
        return answer

    def machine(self, name):
        """The full name for pgdb1, or for 1."""
        known = [*MACHINES, *SPARES]
        for full in known:
            if name in (full, full.split(".")[0], full[4]):
                return full
        raise SystemExit(f"lab: '{name}' is not a node (HINT: one of {', '.join(known)})")

    def command_in(self, name, command):
        """What to execute, inside of the room, to run a command in a node."""
        pid = self.ask("pid", name)
        if pid == "0":
            raise RuntimeError(f"{name} is off")
        # Before its init runs, a machine still has the root of the machine that it stands on.
        end = time.monotonic() + 20
        while not os.readlink(f"/proc/{pid}/exe").endswith(("/tini", "/systemd")):
            if time.monotonic() > end:
                raise RuntimeError(f"{name} does not boot; see its console.log")
            time.sleep(0.02)
        return ["nsenter", "-t", pid, "-m", "-u", "-i", "-n", "-p", "-r", "-w", "env", "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root",
                f"TERM={os.environ.get('TERM', 'linux')}", *command]

    def run_in(self, name, *command, timeout=30, check=True, text=None):
        done = subprocess.run(self.command_in(name, command), capture_output=True, text=True,
                              timeout=timeout, check=False, input=text)
        if check and done.returncode != 0:
            raise RuntimeError(f"{name}: {' '.join(command)}: {done.stderr or done.stdout}")
        return done

    def root(self, name):
        return self.directory / "nodes" / name / "root"

    def cluster_command(self, *arguments):
        """The program as it was installed, not as it stands in the tree."""
        return [sys.executable, "-B", str(self.directory / "product/usr/bin/pgwalship-cluster"),
                "--config", str(self.directory / "pgwalship.conf"),
                "--ssh-config", str(self.directory / "ssh_config"), *arguments]

    # -- from outside
    def make(self, build, init, say):
        if self.pid:
            raise SystemExit("lab: it is up already (HINT: tests/lab/lab down)")
        self.remove()
        roots.compile_in(build)
        base = roots.base(build, init, say)
        self.shared.mkdir(parents=True)
        self.directory.chmod(0o755)
        product = self.directory / "product"
        roots.product(product, build)
        self._identities(product)
        roots.enable_network(product)
        for name in ("node-init", "node-network", "rsyslog.conf"):
            shutil.copy(HERE / name, self.shared / name)
        (self.directory / "pgwalship.conf").write_text(CONFIG)
        (self.directory / "machines.json").write_text(json.dumps({
            "init": init, "room": ROOM_ADDRESSES, "machines": {**MACHINES, **SPARES},
            "lower": [str(product), str(base)]}))
        self._start()

    def _identities(self, product):
        """The admin's key is let in as root; each machine's host key is known beforehand."""
        key = self.directory / "admin_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        ssh = product / "root/.ssh"
        ssh.mkdir(parents=True)
        (product / "root").chmod(0o700)
        ssh.chmod(0o700)
        shutil.copy(str(key) + ".pub", ssh / "authorized_keys")
        hosts = "127.0.0.1 localhost\n"
        known = ""
        for name, addresses in {**MACHINES, **SPARES}.items():
            hosts += f"{addresses[0].split('/')[0]} {name} {name.split('.')[0]}\n"
            upper = self.directory / "nodes" / name / "self/etc"
            (upper / "ssh").mkdir(parents=True)
            (upper / "hostname").write_text(name + "\n")
            (upper / "lab-addresses").write_text(" ".join(addresses) + "\n")
            host_key = upper / "ssh/ssh_host_ed25519_key"
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f",
                            str(host_key)], check=True)
            known += f"{name} {host_key.with_suffix('.pub').read_text()}"
        (product / "etc").mkdir(exist_ok=True)
        (product / "etc/hosts").write_text(hosts)
        (self.directory / "known_hosts").write_text(known)
        (self.directory / "ssh_config").write_text(
            f"Host *\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.directory}/known_hosts\n  GlobalKnownHostsFile none\n" +
            "".join(f"Host {name}\n  HostName {addresses[0].split('/')[0]}\n"
                    f"  HostKeyAlias {name}\n"
                    for name, addresses in {**MACHINES, **SPARES}.items()))
        self._commands()

    def _commands(self):
        """What an administrator has in the PATH."""
        programs = self.directory / "bin"
        programs.mkdir()
        for name, command in (("ssh", f"/usr/bin/ssh -F {self.directory}/ssh_config"),
                              ("pgwalship-cluster", f"{sys.executable} -B {self.directory}"
                               "/product/usr/bin/pgwalship-cluster")):
            (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (programs / name).chmod(0o755)

    def _start(self):
        log = open(self.directory / "room.log", "ab")
        # The shell is process 1 and takes notice of every end: a command in a machine whose caller was
        # killed is left to it, and until then that machine cannot go off.
        outer = subprocess.Popen(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
             "sh", "-c", '"$@" & wait $!', "sh", sys.executable, "-B", str(HERE / "machines.py"), str(self.directory)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 20
        while time.monotonic() < end and outer.poll() is None:
            words = pathlib.Path(
                f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
            if words and (self.shared / "power.sock").exists():
                (self.directory / "room.pid").write_text(words[0])
                return
            time.sleep(0.02)
        raise RuntimeError("the machine room did not start: " +
                           (self.directory / "room.log").read_text())

    def end(self):
        pid = self.pid
        if pid:
            os.kill(pid, signal.SIGKILL)
            while os.path.exists(f"/proc/{pid}"):
                time.sleep(0.02)
        self.remove()

    def remove(self):
        roots.remove_cgroups(self.directory)
        if self.directory.exists():
            shutil.rmtree(self.directory)
