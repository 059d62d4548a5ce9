"""Runs each line of its input as PostgreSQL's archiver runs archive_command: system(3), which is
`sh -c` by posix_spawn. It answers with milliseconds and exit code. A small process of its own, for
a large one takes longer to have children, and it runs as the server's user in its directory."""

import os
import sys
import time

for line in sys.stdin:
    begin = time.perf_counter_ns()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", line.rstrip("\n")], os.environ,
                         file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    _, status = os.waitpid(pid, 0)
    taken = (time.perf_counter_ns() - begin) / 1e6
    print(taken, os.waitstatus_to_exitcode(status), flush=True)
