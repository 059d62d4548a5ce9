#!/usr/bin/env bash
# The rival: an archive_command as high-availability tutorials teach it, for bench/push. It
# compresses the segment into the archive directory, and then, for each other node that answers on
# its ssh port, makes that node's whole archive directory equal to the own one with rsync --delete.
# Not for use: nothing is fsynced, names are overwritten, and deletions spread.
#
#   tutorial-archive.sh PATH NAME, with
#   TUTORIAL_ARCHIVE   this node's archive directory
#   TUTORIAL_KEY       the ssh key
#   TUTORIAL_PEERS     "HOST:PORT:DIRECTORY ..." of the other nodes
set -u
path=$1 name=$2
failed=0

gzip <"$path" >"$TUTORIAL_ARCHIVE/$name.gz" || exit 1

for peer in $TUTORIAL_PEERS; do
  IFS=: read -r host port directory <<<"$peer"
  if ! nc -z -w2 "$host" "$port" >/dev/null 2>&1; then
    echo "tutorial-archive: $peer does not answer" >&2
    failed=1
    continue
  fi
  ssh="ssh -F none -i $TUTORIAL_KEY -p $port -o BatchMode=yes -o StrictHostKeyChecking=no"
  ssh+=" -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
  if ! rsync -azp --delete -e "$ssh" "$TUTORIAL_ARCHIVE/" "$host:$directory" >/dev/null; then
    echo "tutorial-archive: rsync to $peer failed" >&2
    failed=1
  fi
done

exit "$failed"
