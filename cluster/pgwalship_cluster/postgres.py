"""What PostgreSQL is told: settings, who may connect, and how a standby finds the primary.

Settings stand in a file of their own in the data directory, so that pg_basebackup and pg_rewind carry
them; postgresql.conf includes it. The resource agent adds two more includes by itself.
"""

import base64
import hashlib
import hmac
import re

from .timing import timing

SETTINGS_FILE = "pgwalship-cluster.conf"
PASSWORD_FILE = "/etc/pgwalship/replication.pgpass"
LOG_FILE = "/var/log/postgresql/postgresql-pacemaker.log"
ARCHIVE_COMMAND = "/usr/bin/pgwalship push %p %f"
RESTORE_COMMAND = "/usr/bin/pgwalship fetch %f %p"
CLEANUP_COMMAND = "/usr/bin/pgwalship cleanup %r"


def settings(cluster):
    times = timing(cluster)
    return f"""\
# Made by pgwalship-cluster from pgwalship.conf; changes here are lost. Put your own settings into
# postgresql.conf. synchronous_standby_names belongs to the resource agent: set it nowhere.
listen_addresses = '*'
port = {cluster.postgres_port}
wal_level = replica
hot_standby = on
max_wal_senders = 10
max_replication_slots = 10
wal_keep_size = 256MB
archive_mode = on
archive_command = '{ARCHIVE_COMMAND}'
archive_timeout = 60s
# pg_rewind needs it, or data checksums.
wal_log_hints = on
password_encryption = scram-sha-256
# The loss of the synchronous standby holds all commits for this long. Not shorter: a primary that is
# cut off must be stopped by Pacemaker before it goes on alone.
wal_sender_timeout = {times.wal_sender_timeout}s
wal_receiver_timeout = {times.wal_sender_timeout}s
wal_retrieve_retry_interval = 1s
# Pacemaker decides what happens after a crash.
restart_after_crash = off
log_line_prefix = '%m [%p] %q%u@%d '
"""


def hba_lines(cluster):
    """The nodes by their own addresses and nobody else for replication; clients by their networks."""
    lines = ["local all postgres peer"]
    for node in cluster.nodes:
        bits = 128 if ":" in node.address else 32
        for database in ("replication", "postgres"):  # the second for pg_rewind
            lines.append(f"host {database} {cluster.replication_user} {node.address}/{bits} "
                         "scram-sha-256")
    for client in cluster.clients:
        lines.append(f"host {client.database} {client.user} {client.network} scram-sha-256")
    return lines


def password_line(cluster, password):
    return f"*:{cluster.postgres_port}:*:{cluster.replication_user}:{password}\n"


def conninfo(cluster, host, application=""):
    """For pg_basebackup, pg_rewind and standbys outside of the cluster."""
    words = [f"host={host}", f"port={cluster.postgres_port}", f"user={cluster.replication_user}",
             f"passfile={PASSWORD_FILE}"]
    if application:
        words.append(f"application_name={application}")
    return " ".join(words)


def standby_settings(cluster, node):
    """For a standby outside of the cluster: what the resource agent writes for those inside."""
    primary = conninfo(cluster, cluster.replication_ip.ip, node.name)
    return f"""\
# Made by pgwalship-cluster; changes here are lost.
primary_conninfo = '{primary}'
restore_command = '{RESTORE_COMMAND}'
archive_cleanup_command = '{CLEANUP_COMMAND}'
recovery_target_timeline = 'latest'
"""


def standby_unit(cluster):
    """Starts that standby where systemd is."""
    return f"""\
# Made by pgwalship-cluster; changes here are lost.
[Unit]
Description=PostgreSQL, a standby outside of the cluster
After=network-online.target pgwalshipd.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
User=postgres
RuntimeDirectory=postgresql
RuntimeDirectoryMode=2775
RuntimeDirectoryPreserve=yes
# Here is no Pacemaker, and PostgreSQL's own restart after a crash is off.
Restart=on-failure
RestartSec=5
ExecStart={cluster.postgres_bin}/postgres -D {cluster.data_directory}
ExecReload=kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGINT
TimeoutSec=infinity

[Install]
WantedBy=multi-user.target
"""


# PostgreSQL's own number.
SCRAM_ITERATIONS = 4096


def scram_verifier(password, salt, iterations=SCRAM_ITERATIONS):
    """What PostgreSQL stores of a password (RFC 5803). Given so, no log of statements shows it."""
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(key, b"Client Key", "sha256")).digest()
    server = hmac.digest(key, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{text[0]}${text[1]}:{text[2]}"


def scram_fits(password, stored):
    """Would a role of which PostgreSQL stores this let that password in, as pg_hba.conf asks for it?"""
    parts = re.fullmatch(r"SCRAM-SHA-256\$([0-9]+):([A-Za-z0-9+/=]+)\$.*", stored)
    return bool(password and parts) and stored == scram_verifier(
        password, base64.b64decode(parts[2]), int(parts[1]))


def stored_password_sql(cluster):
    """On the primary what is stored of the replication role's password, "none" when it may not log in;
    on a standby nothing."""
    return ("select case when pg_is_in_recovery() then '' else coalesce((select rolpassword from "
            f"pg_authid where rolname = '{cluster.replication_user}' and rolcanlogin and "
            "rolreplication and coalesce(rolvaliduntil > now(), true)), 'none') end")


# Of a standby outside of the cluster, in words; nothing: it is as it should be.
OUTSIDE_SQL = """select case when not pg_is_in_recovery() then 'was promoted: it is a primary of its own'
when not exists (select from pg_stat_wal_receiver where status = 'streaming')
then 'does not stream from the primary' else '' end"""


def role_sql(cluster):
    """Makes the replication role, or gives it this password again; what is stored of it comes as the
    psql variable `password`. pg_rewind needs the four functions."""
    role = cluster.replication_user
    return f"""\
-- The synchronous standby may be the one that cannot log in.
SET synchronous_commit = local;
SELECT 'CREATE ROLE {role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec
ALTER ROLE {role} WITH REPLICATION LOGIN PASSWORD :'password' VALID UNTIL 'infinity';
GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean) TO {role};
GRANT EXECUTE ON FUNCTION pg_stat_file(text, boolean) TO {role};
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO {role};
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint, boolean) TO {role};
"""
