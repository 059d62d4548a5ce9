"""The command line of pgwalship-cluster."""

import argparse
import os
import sys

from . import cib, config, files, health, ini, scripts, timing
from .apply import Apply
from .life import Life
from .remote import Remote, RemoteError
from .edge import Refused
from .verify import Verify

USAGE_ERROR = 2


def render(cluster, only):
    """Every file of every node, the commands, and the CIB; secrets are named, not printed."""
    for node in cluster.nodes:
        if only and node != cluster.node(only):
            continue
        for file in files.node_files(cluster, node, None, files.Collected(), True):
            print(f"==> {node.name}:{file.path} ({file.owner}, {file.mode:04o}"
                  f"{', marked lines' if file.block else ''})")
            print("(made by apply, not shown)\n" if file.secret else file.content.decode())
        print(f"==> {node.name}: commands; of a node that has something already, only what it lacks")
        print(scripts.new_node(cluster, node))
    print("==> Pacemaker's configuration (cibadmin)")
    print(cib.text(cluster))
    print("==> times that fit each other")
    for what, seconds, limit, most in timing.table(cluster):
        print(f"{what}: {seconds:g} s, below {limit}: {most:g} s")


def _parser():
    parser = argparse.ArgumentParser(
        prog="pgwalship-cluster", description="The Pacemaker cluster that pgwalship.conf describes.")
    parser.add_argument("-c", "--config", default=os.environ.get("PGWALSHIP_CONFIG") or
                        config.DEFAULT_PATH)
    parser.add_argument("--ssh-config", default="", help="for ssh -F")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verb = verbs.add_parser("render", help="print all files, commands, Pacemaker's configuration")
    verb.add_argument("node", nargs="?")
    verbs.add_parser("plan", help="what apply would change")
    verbs.add_parser("apply", help="make the nodes as the file says; can be run again")
    verbs.add_parser("status", help="is the cluster whole")
    verbs.add_parser("verify", help="compare the running cluster with the file")
    verb = verbs.add_parser("switchover", help="the synchronous standby becomes the primary")
    verb.add_argument("node", nargs="?", default="")
    for name, text in (("standby", "stop everything on a node"), ("unstandby", "... and start again"),
                       ("rejoin", "make a former primary a standby again")):
        verbs.add_parser(name, help=text).add_argument("node")
    verb = verbs.add_parser("upgrade", help="run a command on node after node, restarting pgwalshipd")
    verb.add_argument("command", help="such as 'apt-get install -y pgwalship'")
    verb = verbs.add_parser("secret", help="read a fencing password from stdin, make FILE print it")
    verb.add_argument("file")
    return parser


def _say(text):
    print(text, flush=True)


def _live(arguments, cluster, remote):
    life = Life(cluster, remote, _say)
    if arguments.verb in ("standby", "unstandby", "rejoin", "switchover"):
        getattr(life, arguments.verb)(arguments.node)
    elif arguments.verb == "upgrade":
        life.upgrade(arguments.command)
    else:
        life.secret(arguments.file, sys.stdin.read())
    return 0


def _run(arguments, cluster):
    if arguments.verb == "render":
        render(cluster, arguments.node)
        return 0
    with Remote(arguments.ssh_config) as remote:
        apply = Apply(cluster, remote, _say)
        if arguments.verb == "plan":
            todo = apply.plan()
            for name, words in todo:
                print(f"{name}: {words}")
            print(f"{len(todo)} changes" if todo else "nothing to do")
        elif arguments.verb == "apply":
            apply.apply()
        elif arguments.verb in ("status", "verify"):
            wrong = (health.troubles(cluster, apply.health()) if arguments.verb == "status" else
                     Verify(cluster, remote, _say).verify())
            print("\n".join(wrong) or "the cluster is whole")
            return 1 if wrong else 0
        else:
            return _live(arguments, cluster, remote)
    return 0


def main(argv=None):
    arguments = _parser().parse_args(argv)
    try:
        return _run(arguments, config.load(arguments.config))
    except ini.Problems as problems:
        print(f"{problems}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        print(f"pgwalship-cluster: {error}", file=sys.stderr)
        return USAGE_ERROR
    except (Refused, RemoteError, LookupError) as error:
        print(f"pgwalship-cluster: {error.args[0]}", file=sys.stderr)
        return 1
