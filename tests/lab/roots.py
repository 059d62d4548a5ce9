"""The root file system that all nodes share, from Debian's packages, and the layer with what was built
here. The first is made once for a list of packages and kept in a cache outside of the repository."""

import hashlib
import os
import pathlib
import shutil
import subprocess

PACKAGES = """
    corosync pacemaker pacemaker-cli-utils resource-agents
    postgresql-15 postgresql-client-15 openssh-server openssh-client python3-minimal
    iproute2 iptables iputils-arping iputils-ping netcat-openbsd procps psmisc util-linux gawk
    tini rsyslog libxml2-utils
""".split()

# What a node's first process needs beyond: the lab's own is small, systemd is as on a real machine.
INITS = {"tini": [], "systemd": ["systemd", "systemd-sysv", "dbus"]}

# Debian's postgresql-common makes a server when it is installed; here the cluster makes its own.
NO_MAIN_CLUSTER = ('mkdir -p "$1/etc/postgresql-common"; echo create_main_cluster = false '
                   '>"$1/etc/postgresql-common/createcluster.conf"')

# What `cmake --install` wants to be there.
TARGETS = ("pgwalship", "pgwalshipd", "pgwalship-setup")
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(base) / "pgwalship-lab"


def cgroup(directory):
    """How the control groups of a lab's machines begin."""
    return "pgwalship-" + hashlib.sha256(str(directory).encode()).hexdigest()[:8] + "-"


def remove_cgroups(directory):
    for top in ("", "systemd", "unified"):
        for group in (pathlib.Path("/sys/fs/cgroup") / top).glob(cgroup(directory) + "*"):
            for path, _, _ in os.walk(group, topdown=False):
                try:
                    os.rmdir(path)
                except OSError:  # somebody is still dying in there; an empty group costs nothing
                    pass


def why_not():
    """Why this machine cannot run the lab, or nothing."""
    if os.getuid() != 0:
        return "it needs root"
    for program in ("mmdebstrap", "unshare", "nsenter", "ip", "ssh", "ssh-keygen"):
        if not shutil.which(program):
            return f"{program} is missing (HINT: scripts/install-deps)"
    if subprocess.run(["unshare", "--mount", "--uts", "--ipc", "--pid", "--net", "--fork", "true"],
                      capture_output=True, check=False).returncode != 0:
        return "namespaces are not allowed here"
    return ""


def _sources():
    """Debian's own archives out of what apt uses here, as sources.list lines."""
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    line = f"deb [signed-by={keyring}] $(REPO_URI) $(RELEASE) $(COMPONENT)"
    done = subprocess.run(["apt-get", "indextargets", "--format", line, "Created-By: Packages",
                           "Origin: Debian"], capture_output=True, text=True, check=True)
    lines = sorted(set(done.stdout.splitlines()))
    if not lines:
        raise RuntimeError("apt knows no archive of Debian (HINT: apt-get update)")
    release = os.popen(". /etc/os-release; echo $VERSION_CODENAME").read().strip()
    return release, "".join(text + "\n" for text in lines)


def compile_in(build):
    done = subprocess.run(["cmake", "--build", str(build), "--target", *TARGETS],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("the build failed:\n" + done.stdout[-2000:])


def _libraries(build):
    """Debian's packages of the libraries that the programs load."""
    paths = set()
    for program in TARGETS:
        text = subprocess.run(["ldd", str(build / "cmd" / program)], capture_output=True, text=True,
                              check=True).stdout
        for line in text.splitlines():
            if "=> /" in line:  # dpkg may know it under either name of the directory
                path = line.split()[2].removeprefix("/usr")
                paths |= {path, "/usr" + path}
    # Whole paths: dpkg-query looks them up, while it compares a pattern with every file there is.
    done = subprocess.run(["dpkg-query", "--search", *sorted(paths)], capture_output=True, text=True,
                          check=False)
    return sorted({line.split(":")[0] for line in done.stdout.splitlines() if ": " in line})


def base(build, init, say):
    """The path of the root for PACKAGES and the libraries; made when it is not there."""
    release, sources = _sources()
    packages = [*PACKAGES, *INITS[init], *_libraries(build)]
    key = hashlib.sha256(" ".join([release, *packages]).encode()).hexdigest()[:12]
    root = cache() / f"root-{key}"
    if root.is_dir():
        return root
    say(f"making {root} from Debian's packages, once")
    cache().mkdir(parents=True, exist_ok=True)
    fresh = root.with_suffix(f".{os.getpid()}")
    done = subprocess.run(
        ["mmdebstrap", "--variant=minbase", "--mode=root", "--quiet",
         "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
         "--dpkgopt=path-exclude=/usr/share/locale/*", "--dpkgopt=force-unsafe-io",
         '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-confold",
         f"--essential-hook={NO_MAIN_CLUSTER}", f"--include={','.join(packages)}",
         release, str(fresh), "-"], input=sources, text=True, capture_output=True, check=False)
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RuntimeError("mmdebstrap failed:\n" + done.stderr[-2000:])
    try:
        fresh.rename(root)
    except OSError:  # somebody else was faster
        shutil.rmtree(fresh, ignore_errors=True)
    return root


def product(layer, build):
    """`cmake --install` of a build, and what the lab adds: its fencing agent."""
    environment = {**os.environ, "DESTDIR": str(layer)}
    done = subprocess.run(["cmake", "--install", str(build), "--prefix", "/usr", "--strip"],
                          env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError("cmake --install failed:\n" + done.stderr[-2000:])
    # It was configured for another prefix, as scripts/package does not.
    unit = layer / "lib/systemd/system/pgwalshipd.service"
    unit = unit if unit.exists() else layer / "usr/lib/systemd/system/pgwalshipd.service"
    unit.write_text(unit.read_text().replace("/usr/local/bin/", "/usr/bin/"))
    agent = layer / "usr/sbin/fence_lab"
    agent.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(REPOSITORY / "tests/lab/fence_lab", agent)
    agent.chmod(0o755)


def enable_network(layer):
    """For nodes with systemd: their cables get their addresses."""
    units = layer / "etc/systemd/system"
    wants = units / "multi-user.target.wants"
    wants.mkdir(parents=True)
    unit = "lab-network.service"
    (units / unit).write_text("""\
[Unit]
Before=ssh.service corosync.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'exec sh /lab/node-network $(cat /etc/lab-addresses)'
[Install]
WantedBy=multi-user.target
""")
    (wants / unit).symlink_to(f"../{unit}")
