"""ssh to the nodes: one connection each, kept open; scripts go in on standard input."""

import concurrent.futures
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass


class RemoteError(Exception):
    pass


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


class Remote:
    """Logs in as root. A host that is not known is refused, as ssh does by itself."""

    def __init__(self, ssh_config="", connect_timeout=5):
        self._config = ssh_config
        self._timeout = connect_timeout
        self._sockets = tempfile.mkdtemp(prefix="pgwalship-")
        self._used = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self._used:
            subprocess.run([*self._command(node), "-O", "exit", "-q", "node"], capture_output=True,
                           check=False)
        shutil.rmtree(self._sockets, ignore_errors=True)

    def _command(self, node):
        command = ["ssh"]
        if self._config:
            command += ["-F", self._config]
        return [*command, "-o", "BatchMode=yes", "-o", f"ConnectTimeout={self._timeout}",
                "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3",
                "-o", "ControlMaster=auto", "-o", "ControlPersist=120",
                "-o", f"ControlPath={os.path.join(self._sockets, str(node.number))}",
                "-o", f"HostName={node.address}", "-o", f"HostKeyAlias={node.name}",
                "-l", "root", "-p", str(node.port)]

    def ask(self, node, script, timeout=120):
        """Runs a script; its exit status is part of the answer."""
        if node not in self._used:
            self._used.append(node)
        try:
            done = subprocess.run([*self._command(node), node.name, "sh", "-s"], timeout=timeout,
                                  input=script.encode(), stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, check=False)
        except subprocess.TimeoutExpired:
            raise RemoteError(f"{node.name}: no end within {timeout} s") from None
        answer = Answer(done.returncode, done.stdout.decode(errors="replace"),
                        done.stderr.decode(errors="replace"))
        if answer.code == 255:
            raise RemoteError(f"{node.name}: {answer.err.strip() or 'ssh failed'}")
        return answer

    def run(self, node, script, timeout=120):
        """Runs a script that must succeed; what it printed."""
        answer = self.ask(node, "set -e\n" + script, timeout)
        if answer.code != 0:
            said = answer.err.strip() or answer.out.strip() or f"exit status {answer.code}"
            raise RemoteError(f"{node.name}: {said}")
        return answer.out

    def run_all(self, scripts, timeout=120):
        """node -> script, at the same time; node -> what it printed."""
        with concurrent.futures.ThreadPoolExecutor(max_workers=8) as pool:
            jobs = {node: pool.submit(self.run, node, script, timeout)
                    for node, script in scripts.items()}
            return {node: job.result() for node, job in jobs.items()}
