"""All that stands on a node because of the cluster: pure, from the file and what was collected."""

from dataclasses import dataclass, field

from . import archive, corosync, postgres

AUTHKEY = "/etc/corosync/authkey"
CONFIG = "/etc/pgwalship/pgwalship.conf"


@dataclass(frozen=True)
class File:
    path: str
    content: bytes
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    # A block is ours between two marker lines; the rest of the file is the operator's.
    block: bool = False
    secret: bool = False
    # What notices a change: "", "corosync", "pgwalshipd", "postgresql".
    user: str = ""


@dataclass(frozen=True)
class Secrets:
    """Made once, on the nodes alone; whoever runs apply reads them there again. Empty: not yet made."""
    authkey: bytes = b""
    replication_password: str = ""


@dataclass(frozen=True)
class Collected:
    """What the nodes made themselves and the others must know."""
    link_keys: dict = field(default_factory=dict)  # name -> public key
    host_keys: dict = field(default_factory=dict)  # name -> public keys


def marked(content):
    return b"# BEGIN pgwalship-cluster\n" + content + b"# END pgwalship-cluster\n"


def _lines(lines):
    return "".join(line + "\n" for line in lines).encode()


def archive_files(cluster, node, collected):
    """Every node, in the cluster or not."""
    user = cluster.ssh_user
    home = "/root" if user == "root" else "/var/lib/postgresql" if user == "postgres" else \
        f"/home/{user}"
    return [
        File(CONFIG, cluster.text.encode(), user="pgwalshipd"),
        File(cluster.ssh_known_hosts, archive.known_hosts(cluster, collected.host_keys).encode(),
             owner=user, group=user, user="pgwalshipd"),
        File(f"{home}/.ssh/authorized_keys",
             _lines(archive.authorized_keys(cluster, node, collected.link_keys)),
             owner=user, group=user, mode=0o600, block=True),
    ]


def member_files(cluster, secrets):
    return [
        File("/etc/corosync/corosync.conf", corosync.corosync_conf(cluster).encode(),
             user="corosync"),
        File(AUTHKEY, secrets.authkey or b"(made by apply)", mode=0o400, secret=True,
             user="corosync"),
        replication_password_file(cluster, secrets),
    ]


def replication_password_file(cluster, secrets):
    password = secrets.replication_password or "(made by apply)"
    return File(postgres.PASSWORD_FILE, postgres.password_line(cluster, password).encode(),
                owner="postgres", group="postgres", mode=0o600, secret=True)


def database_files(cluster):
    """In the data directory, once there is one."""
    data = cluster.data_directory
    return [
        File(f"{data}/{postgres.SETTINGS_FILE}", postgres.settings(cluster).encode(),
             owner="postgres", group="postgres", mode=0o600, user="postgresql"),
        File(f"{data}/postgresql.conf", f"include '{postgres.SETTINGS_FILE}'\n".encode(),
             owner="postgres", group="postgres", mode=0o600, block=True, user="postgresql"),
        File(f"{data}/pg_hba.conf", _lines(postgres.hba_lines(cluster)),
             owner="postgres", group="postgres", mode=0o600, block=True, user="postgresql"),
    ]


def standby_files(cluster, node):
    """Of a node outside of the cluster. The clone brings postgresql.conf along, whose last lines
    include two files of the resource agent: here they are ours."""
    tmp = cluster.postgres_tmp
    return [
        File(f"{tmp}/recovery.conf", postgres.standby_settings(cluster, node).encode(),
             owner="postgres", group="postgres", mode=0o600, user="postgresql"),
        File(f"{tmp}/rep_mode.conf", b"", owner="postgres", group="postgres", mode=0o600),
        File("/etc/systemd/system/pgwalship-standby.service",
             postgres.standby_unit(cluster).encode()),
    ]


def node_files(cluster, node, secrets, collected, with_database):
    secrets = secrets or Secrets()
    found = archive_files(cluster, node, collected)
    if node in cluster.members:
        found += member_files(cluster, secrets)
    else:
        found.append(replication_password_file(cluster, secrets))
        found += standby_files(cluster, node)
    if with_database:
        found += database_files(cluster)
    return found
