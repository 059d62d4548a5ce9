"""The machine room: runs in namespaces of its own, with a switch (a bridge) and the machines, and
answers on a socket. When it ends, everything in it is gone: machines, cables, mounts.

The same socket is the power switch that the nodes' fencing agent asks. Commands, a line each:
    on N | off N | reboot N | status N | list        power; reboot waits BOOT_SECONDS between
    cut N | join N                                    the network cable
    pid N                                             the machine's init, as seen in here
    reset N                                           a machine that is off gets its first disk again
    hold N | release N                                it is not switched on until released
"""

import json
import os
import pathlib
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time

import roots

HERE = pathlib.Path(__file__).resolve().parent
# As a real machine: one that returns at once would join in the middle of a promotion.
BOOT_SECONDS = 20


# Of one control group, several systemds would each end what another has started. $0 is its name.
OWN_CGROUP = """
for top in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -e $top/cgroup.procs ]; then mkdir -p $top/$0; echo 0 >$top/$0/cgroup.procs; fi
done
exec "$@"
"""


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class Machine:
    def __init__(self, room, name, addresses, directory, lower):
        self.room, self.name, self.addresses = room, name, addresses
        self.directory, self.lower = directory, lower
        self.short = name.split(".")[0]
        self.lock = threading.RLock()
        self.process = None
        self.init = 0
        self.is_cut = False
        self.held = False
        self.timer = None

    def on(self):
        with self.lock:
            if self.init or self.held:
                return
            self._mount()
            log = open(self.directory / "console.log", "ab")
            self.process = subprocess.Popen(
                self._boot(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
            while not (init := self._first_process()):
                if self.process.poll() is not None:
                    raise RuntimeError(f"{self.name} does not start; see its console.log")
                time.sleep(0.01)
            self.init = init
            for number in range(len(self.addresses)):
                self._cable(number)
            self.room.note(self.name, "on")

    def _boot(self):
        root = str(self.directory / "root")
        if self.room.with_systemd:
            return ["sh", "-c", OWN_CGROUP, roots.cgroup(self.room.directory) + self.short,
                    "systemd-nspawn", "--quiet", f"--directory={root}", f"--machine={self.short}",
                    f"--hostname={self.name}", "--private-network", "--boot", "--register=no",
                    "--keep-unit", "--console=pipe", "--capability=all",
                    f"--bind={self.room.shared}:/lab"]
        return ["unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork",
                "--kill-child", str(HERE / "node-stage1"), root, str(self.room.shared), self.name,
                *self.addresses]

    def _first_process(self):
        """Its init, once that has a network of its own; 0 before."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        try:
            for pid in pathlib.Path(children).read_text().split():
                if not self.room.with_systemd or (
                        os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net")):
                    return int(pid)
        except OSError:  # systemd-nspawn's helper, which has ended
            pass
        return 0

    def _mount(self):
        root = self.directory / "root"
        if os.path.ismount(root):
            return
        for name in ("root", "upper", "work"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        own = [str(self.directory / "self")]  # its name and its host key
        done = run("mount", "-t", "overlay", "overlay", "-o",
                   f"lowerdir={':'.join(own + self.lower)},upperdir={self.directory}/upper,"
                   f"workdir={self.directory}/work", str(root))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def _cable(self, number):
        name = f"v{number}-{self.short}"
        # The kernel takes the old cable away some time after the machine that held its other end.
        run("ip", "link", "del", name)
        # The same one at every boot, as a real card has: others keep it in mind for a while.
        ip = self.addresses[number].split("/")[0]
        card = "02:00:" + ":".join(f"{int(part):02x}" for part in ip.split("."))
        done = run("ip", "link", "add", name, "type", "veth", "peer", "name", f"eth{number}",
                   "address", card, "netns", str(self.init))
        if done.returncode != 0:
            raise RuntimeError(f"{self.name}: no cable: {done.stderr.strip()}")
        run("ip", "link", "set", name, "master", f"br{number}")
        run("ip", "link", "set", name, "down" if self.is_cut else "up")

    def off(self):
        """The cable first: dying sockets would tell the peers, which a power loss does not."""
        with self.lock:
            if self.timer:
                self.timer.cancel()
                self.timer = None
            if not self.init:
                return
            for number in range(len(self.addresses)):
                run("ip", "link", "set", f"v{number}-{self.short}", "down")
            try:
                os.kill(self.init, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.kill()  # systemd-nspawn would wait for all that was started from outside
            self.process.wait()
            self.init = 0
            self.room.note(self.name, "off")

    def reboot(self):
        with self.lock:
            self.off()
            self.timer = threading.Timer(BOOT_SECONDS, self.on)
            self.timer.daemon = True
            self.timer.start()

    def plug(self, state):
        with self.lock:
            self.is_cut = state == "down"
            # The kernel may keep the network of a machine that is off for some seconds more, with all
            # its addresses: plugged in, it would answer for those that others have taken over.
            for number in range(len(self.addresses) if self.init else 0):
                run("ip", "link", "set", f"v{number}-{self.short}", state)
            self.room.note(self.name, "cut" if self.is_cut else "joined")

    def reset(self):
        with self.lock:
            self.off()
            run("umount", str(self.directory / "root"))
            for name in ("upper", "work"):
                shutil.rmtree(self.directory / name, ignore_errors=True)
            self.is_cut = self.held = False


class Room:
    def __init__(self, directory):
        self.directory = directory
        self.shared = directory / "shared"
        plan = json.loads((directory / "machines.json").read_text())
        self.with_systemd = plan["init"] == "systemd"
        self.machines = {
            name: Machine(self, name, addresses, directory / "nodes" / name, plan["lower"])
            for name, addresses in plan["machines"].items()}
        self.history = open(directory / "power.log", "a", buffering=1)
        run("ip", "link", "set", "lo", "up")
        for number, address in enumerate(plan["room"]):
            run("ip", "link", "add", f"br{number}", "type", "bridge")
            run("ip", "address", "add", address, "dev", f"br{number}")
            run("ip", "link", "set", f"br{number}", "up")

    def note(self, name, what):
        self.history.write(f"{time.time():.2f} {name} {what}\n")

    def answer(self, verb, name):
        if verb == "list":
            return "\n".join(self.machines)
        machine = self.machines[name]
        if verb in ("on", "off", "reboot", "reset"):
            self.note(name, f"asked to {verb}")
            getattr(machine, verb)()
        elif verb in ("cut", "join"):
            machine.plug("down" if verb == "cut" else "up")
        elif verb in ("hold", "release"):
            machine.held = verb == "hold"
        elif verb == "status":
            return "on" if machine.init else "off"
        elif verb == "pid":
            return str(machine.init)
        else:
            return f"unknown: {verb}"
        return "ok"


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        words = self.rfile.readline().decode().split()
        try:
            text = self.server.room.answer(words[0], words[1] if len(words) > 1 else "")
        except (KeyError, IndexError, RuntimeError, OSError) as error:
            text = f"error: {error}"
        self.wfile.write(text.encode() + b"\n")


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def main():
    room = Room(pathlib.Path(sys.argv[1]))
    with Server(str(room.shared / "power.sock"), Handler) as server:
        server.room = room
        os.chmod(room.shared / "power.sock", 0o600)
        server.serve_forever()


main()
