"""pg_receivewal as an archiver: one stream of the server, durable on this machine alone."""

import pathlib
import shutil
import signal

import rivals
from stage import wait_until


class Receiver(rivals.Contender):
    """It begins with the segment after the last complete one that it finds in its directory."""

    def __init__(self, cluster):
        super().__init__(cluster, "pg_receivewal --synchronous, local")
        self.target = self.stage.top / "received"
        self.command = ""

    def prepare(self, data, detours=None):
        self.stage.directory(self.target)

    def receive(self, data, names):
        start = self.target / f"{names[0][:16]}{int(names[0][16:], 16) - 1:08X}"
        shutil.copy(data / "pg_wal" / names[0], start)
        shutil.chown(start, self.stage.user)
        slot = ["pg_receivewal", "-h", self.stage.top, "-U", "postgres", "-D", self.target]
        self.stage.run(*slot, "--slot", "bench", "--create-slot", "--if-not-exists")
        with open(self.stage.top / "pg_receivewal.log", "a") as log:
            process = self.stage.start(*slot, "--slot", "bench", "--synchronous", "-n",
                                       stderr=log)
        wait_until((self.target / names[-1]).exists, 600, f"pg_receivewal has {names[-1]}")
        process.send_signal(signal.SIGINT)
        process.wait()

    def bytes(self):
        return sum(path.stat().st_size for path in pathlib.Path(self.target).iterdir())
