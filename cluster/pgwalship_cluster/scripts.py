"""The shell that runs on nodes: every piece can run twice. What is secret goes in on standard input."""

import base64
import os
import shlex

from . import postgres
from .files import AUTHKEY, CONFIG, marked

q = shlex.quote

# With systemd or without: `service` is Debian's for both; what starts at boot is told to either.
ENABLE = """
if [ -d /run/systemd/system ]; then systemctl --quiet enable corosync pacemaker
else for s in corosync pacemaker; do update-rc.d $s enable >/dev/null 2>&1; done; fi
"""
# PostgreSQL belongs to Pacemaker, and so does the archiving daemon.
DISABLE = """
if [ -d /run/systemd/system ]; then
    for s in postgresql pgwalshipd pgwalship-standby; do systemctl disable --now $s >/dev/null 2>&1 || true; done
else
    for s in postgresql pgwalshipd; do update-rc.d $s disable >/dev/null 2>&1 || true; done
fi
"""
START = """
service corosync start >/dev/null
n=0; until corosync-cpgtool >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.1; done
pidof pacemakerd >/dev/null || service pacemaker start >/dev/null
n=0; until timeout 5 cibadmin --query >/dev/null 2>&1; do n=$((n+1)); [ $n -lt 300 ] || exit 1; sleep 0.2; done
"""
# A cluster of one node, as Debian starts it, ends before it becomes ours.
STOP_DEFAULT = """
if ! grep -q pgwalship-cluster /etc/corosync/corosync.conf 2>/dev/null; then
    service pacemaker stop >/dev/null 2>&1 || true
    service corosync stop >/dev/null 2>&1 || true
    rm -f /var/lib/pacemaker/cib/* /var/lib/corosync/ringid_*
fi
"""
STOP = "service pacemaker stop >/dev/null 2>&1; service corosync stop >/dev/null 2>&1; true"

PROGRAMS = ("corosync", "pacemakerd", "crm_mon", "cibadmin", "pgwalship", "pgwalshipd", "sshd")
OUTSIDE_PROGRAMS = ("pgwalship", "pgwalshipd", "sshd")  # what an archive peer needs


def start_outside(cluster, changed):
    """The daemon where Pacemaker does not run it: by its unit, or as the resource agent would."""
    verb = "restart" if changed else "start"
    stop = '"$agent" stop; ' if changed else ""
    return f"""
if [ -d /run/systemd/system ]; then
    systemctl enable pgwalshipd; systemctl {verb} pgwalshipd
else
    export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=pgwalshipd OCF_RESKEY_user={cluster.ssh_user}
    agent=$OCF_ROOT/resource.d/pgwalship/pgwalshipd
    {stop}"$agent" start
fi
"""


def restart_daemon(cluster):
    """On any node. Beneath Pacemaker, for which an order to restart it would also be one to stop the
    server that starts after it; once it answers again, which its monitor then sees."""
    return f"""
if [ -d /run/systemd/system ] && systemctl --quiet is-enabled pgwalshipd; then
    exec systemctl restart pgwalshipd
fi
export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=pgwalshipd OCF_RESKEY_user={cluster.ssh_user}
agent=$OCF_ROOT/resource.d/pgwalship/pgwalshipd
"$agent" stop && "$agent" start
"""


def start_standby(cluster, changed):
    """A standby outside of the cluster, once it is a copy of the primary. One that runs is left alone:
    it may have been promoted."""
    data = q(cluster.data_directory)
    reload = f"runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -s -D {data} reload"
    return f"""
if [ -d /run/systemd/system ]; then systemctl daemon-reload; systemctl --quiet enable pgwalship-standby; fi
if runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -D {data} status >/dev/null; then
    {reload if changed else ':'}
    exit 0
fi
runuser -u postgres -- touch {data}/standby.signal
if [ -d /run/systemd/system ]; then systemctl restart pgwalship-standby
else
    install -d -m 02775 -o postgres -g postgres /var/run/postgresql
    runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -s -w -t 300 -D {data} \\
        -l {postgres.LOG_FILE} start </dev/null >/dev/null 2>&1
fi
"""


def install(files):
    """Writes files beside their places, then renames; directories are made as needed."""
    parts = ["umask 077"]
    for file in files:
        content = marked(file.content) if file.block else file.content
        text = base64.encodebytes(content).decode()
        path = q(file.path)
        parts.append(f"""
d=$(dirname {path}); [ -d "$d" ] || install -d -m 0{0o700 if file.owner != 'root' else 0o755:o} -o {file.owner} -g {file.group} "$d"
t={path}.pgwalship-new
base64 -d >"$t" <<'END_OF_FILE'
{text}END_OF_FILE""")
        if file.block:
            # The block stands first: pg_hba.conf takes the first line that fits. In
            # postgresql.conf it stands last: there the last setting counts.
            rest = "sed '/^# BEGIN pgwalship-cluster$/,/^# END pgwalship-cluster$/d' " + path
            order = (f"({rest} 2>/dev/null; cat \"$t\")" if file.path.endswith("postgresql.conf")
                     else f"(cat \"$t\"; {rest} 2>/dev/null)")
            parts.append(f"{order} >\"$t.2\" || true; mv \"$t.2\" \"$t\"")
        parts.append(f"chown {file.owner}:{file.group} \"$t\"; chmod {file.mode:o} \"$t\"; "
                     f"mv \"$t\" {path}")
    return "\n".join(parts) + "\n"


# In the agent's directory while a server is made or copied: until then it is none.
UNFINISHED = "unfinished-copy"


def stop_server(cluster):
    """Where Pacemaker is not yet: a server that runs is in its way, one that was left by an apply that
    was interrupted, or the standby of a node that was outside of the cluster."""
    return f"""
if ! pidof pacemakerd >/dev/null && [ -s {q(cluster.data_directory)}/postmaster.pid ]; then
    runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -s -w -t 60 -m fast \\
        -D {q(cluster.data_directory)} stop 2>/dev/null || true
fi
"""


def _begin_server(cluster):
    """An empty data directory, or what an interrupted copy left of it, emptied."""
    data = q(cluster.data_directory)
    return f"""
install -d -m 0700 -o postgres -g postgres {data} {q(cluster.postgres_tmp)}
unfinished={q(cluster.postgres_tmp)}/{UNFINISHED}
cd /
if [ -e "$unfinished" ]; then
    pkill -u postgres -f '/(pg_basebackup|initdb) -D {cluster.data_directory} ' || true
    find {data} -mindepth 1 -delete
fi
[ -z "$(ls -A {data})" ] || {{ echo "{cluster.data_directory} is not empty" >&2; exit 1; }}
: >"$unfinished"; sync "$unfinished"
"""


def facts(cluster, files):
    """Prints NAME VALUE lines about a node; see facts.Facts."""
    data, identity = q(cluster.data_directory), q(cluster.ssh_identity)
    lines = [f"""
say() {{ printf '%s %s\\n' "$1" "$2"; }}
export PATH=$PATH:/usr/sbin:/sbin
say hostname "$(uname -n)"
say init "$([ -d /run/systemd/system ] && echo systemd || echo sysv)"
for p in {' '.join(PROGRAMS)} {q(cluster.postgres_bin + '/pg_ctl')}; do
    command -v "$p" >/dev/null || say missing "$p"; done
[ -e /usr/lib/ocf/resource.d/heartbeat/pgsql ] || say missing resource-agents
[ -e /usr/lib/ocf/resource.d/pgwalship/pgsql ] || say missing ocf:pgwalship
id {cluster.ssh_user} >/dev/null 2>&1 || say missing "user {cluster.ssh_user}"
[ -s {identity}.pub ] && say link-key "$(cat {identity}.pub)"
for f in /etc/ssh/ssh_host_ed25519_key.pub /etc/ssh/ssh_host_ecdsa_key.pub; do
    [ -s $f ] && say host-key "$(cat $f)"; done
[ -s {AUTHKEY} ] && say authkey "$(sha256sum <{AUTHKEY} | cut -d' ' -f1)"
[ -s {postgres.PASSWORD_FILE} ] && say password "$(sha256sum <{postgres.PASSWORD_FILE} | cut -d' ' -f1)"
say role "$({ask_server(cluster, postgres.stored_password_sql(cluster))})"
[ -d {q(cluster.archive_directory)} ] && say archive yes
for p in $(pgrep -x -u {cluster.ssh_user} pgwalshipd); do
    age=$(ps -o etimes= -p $p) || continue
    began=$(($(date +%s) - age))
    for f in {CONFIG} {q(cluster.ssh_known_hosts)}; do
        [ "$(stat -c %Y $f 2>/dev/null || echo 0)" -le $began ] || say behind yes; done
done
if [ -e {q(cluster.postgres_tmp)}/{UNFINISHED} ]; then :
elif [ -s {data}/PG_VERSION ]; then
    if [ -e {data}/postgresql.conf ]; then say database yes; else say database elsewhere; fi
    say system-id "$({q(cluster.postgres_bin)}/pg_controldata {data} 2>/dev/null | sed -n 's/^Database system identifier: *//p')"
    if [ -e {data}/backup_label ]; then say state copied; else
        say state "$({q(cluster.postgres_bin)}/pg_controldata {data} 2>/dev/null | sed -n 's/^Database cluster state: *//p')"; fi
elif [ -n "$(ls -A {data} 2>/dev/null)" ]; then say database strange
fi
[ -e {q(cluster.postgres_tmp)}/PGSQL.lock ] && say lock yes
# Debian starts both when they are installed, as a cluster of one node: that counts as nothing.
c=/etc/corosync/corosync.conf
if grep -q pgwalship-cluster $c 2>/dev/null; then
    if pidof corosync >/dev/null; then
        say corosync yes
        say nodelist "$(corosync-cmapctl nodelist.node 2>/dev/null |
            sed -n 's/^nodelist[.]node[.][0-9]*[.]\\([a-z0-9_]*\\) (.*) = /\\1=/p' | LC_ALL=C sort | xargs)"
    fi
    pidof pacemakerd >/dev/null && say pacemaker yes
elif [ -e $c ] && ! grep -q 'ring0_addr: 127.0.0.1' $c; then say foreign yes
fi
for s in corosync pacemaker postgresql pgwalshipd; do
    if [ -d /run/systemd/system ]; then systemctl --quiet is-enabled $s 2>/dev/null
    else ls /etc/rc2.d/S??$s >/dev/null 2>&1; fi && say enabled $s
done
"""]
    for file in files:
        path = q(file.path)
        body = (f"sed -n '/^# BEGIN pgwalship-cluster$/,/^# END pgwalship-cluster$/p' {path}"
                if file.block else f"cat {path}")
        lines.append(f"[ -e {path} ] && say file \"{file.path} $({body} | sha256sum | cut -d' ' "
                     f"-f1) $(stat -c '%a %U' {path})\"")
    return "\n".join(lines) + "\ntrue\n"


def make_link_key(cluster, node):
    identity, user = q(cluster.ssh_identity), cluster.ssh_user
    return f"""
umask 077
d=$(dirname {identity}); [ -d "$d" ] || install -d -m 0700 -o {user} -g {user} "$d"
[ -s {identity} ] || ssh-keygen -q -t ed25519 -N '' -C pgwalship@{node.name} -f {identity}
chown {user}:{user} {identity} {identity}.pub; chmod 600 {identity}; cat {identity}.pub
"""


def make_archive(cluster):
    """A mount point that was shut stays so: docs/durability.md, "An archive that goes back in time"."""
    user, archive = cluster.ssh_user, q(cluster.archive_directory)
    return f"""
[ "$(stat -c %a {archive} 2>/dev/null)" = 0 ] || install -d -m 0700 -o {user} -g {user} {archive}
"""


def make_directories(cluster):
    return f"""{make_archive(cluster)}
install -d -m 0700 -o postgres -g postgres {q(cluster.postgres_tmp)}
[ -d /etc/pgwalship ] || install -d -m 0755 -o root -g root /etc/pgwalship
install -d -m 02775 -o root -g postgres /var/log/postgresql
"""


def initdb(cluster):
    return f"""{_begin_server(cluster)}
runuser -u postgres -- {cluster.postgres_bin}/initdb -D {q(cluster.data_directory)} --auth-local=peer \\
    --auth-host=scram-sha-256 --data-checksums --encoding=UTF8 --locale=C.UTF-8 >/dev/null
rm "$unfinished"
"""


def start_alone(cluster, node):
    """The first server, for cloning: on the node's own address, and its archive waits."""
    return f"""
install -d -m 02775 -o postgres -g postgres /var/run/postgresql
# The resource agent includes these two; without it they may not be there yet.
for f in recovery.conf rep_mode.conf; do
    runuser -u postgres -- touch {q(cluster.postgres_tmp)}/$f; done
rm -f {q(cluster.data_directory)}/standby.signal
runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -s -w -t 60 -D {q(cluster.data_directory)} \\
    -l {postgres.LOG_FILE} \\
    -o "-c listen_addresses={node.address} -c archive_command= -c synchronous_standby_names=" start </dev/null >/dev/null 2>&1
"""


def stop_alone(cluster):
    return (f"runuser -u postgres -- {cluster.postgres_bin}/pg_ctl -s -w -t 60 -m fast "
            f"-D {q(cluster.data_directory)} stop\n")


def make_role(cluster, password):
    """Run where the server is the primary. The password stays here."""
    return role(cluster, postgres.scram_verifier(password, os.urandom(16)))


def role(cluster, verifier):
    return f"""
runuser -u postgres -- {cluster.postgres_bin}/psql -X -q -v ON_ERROR_STOP=1 -p {cluster.postgres_port} \\
    -d postgres >/dev/null <<'END_OF_SQL'
\\set password '{verifier}'
{postgres.role_sql(cluster)}END_OF_SQL
"""


def ask_server(cluster, sql):
    """The server of the node itself."""
    return (f"cd /; timeout 10 runuser -u postgres -- {cluster.postgres_bin}/psql -XAtq "
            f"-p {cluster.postgres_port} -d postgres -c {q(sql)} 2>/dev/null")


def login(cluster):
    """As a standby of this node would, and pg_rewind."""
    info = postgres.conninfo(cluster, cluster.replication_ip.ip) + " dbname=postgres connect_timeout=5"
    return f"""
cd /
runuser -u postgres -- {cluster.postgres_bin}/psql -XAtqw -d {q(info)} -c 'select 1' 2>&1
"""


def clone(cluster, host):
    """Copies the primary at `host` into an empty data directory."""
    data = q(cluster.data_directory)
    info = q(postgres.conninfo(cluster, host))
    return f"""
set -e
{_begin_server(cluster)}
runuser -u postgres -- {cluster.postgres_bin}/pg_basebackup -D {data} -d {info} -X stream \\
    -c fast -l "clone of $(uname -n)"
rm -f {data}/standby.signal "$unfinished"
"""


def new_node(cluster, node):
    """What apply runs on a node that has nothing, beside installing its files, for people."""
    member, first = node in cluster.members, cluster.members[0]
    parts = [make_directories(cluster), make_link_key(cluster, node)]
    if node == first:
        parts += [DISABLE, STOP_DEFAULT, initdb(cluster), start_alone(cluster, node),
                  role(cluster, "(made by apply, not shown)"),
                  "# the other members copy this server now\n", stop_alone(cluster)]
    elif member:
        parts += [DISABLE, STOP_DEFAULT, clone(cluster, first.address)]
    else:
        parts += [start_outside(cluster, False), "# once the cluster is whole\n",
                  clone(cluster, cluster.replication_ip.ip), start_standby(cluster, False)]
    return "".join(parts + ([START, ENABLE] if member else []))
