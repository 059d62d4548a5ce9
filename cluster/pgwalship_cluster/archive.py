"""The links between the archives: keys that may do one thing, and host keys that are pinned."""

PROGRAM = "/usr/bin/pgwalship"


def authorized_keys(cluster, node, public_keys):
    """`public_keys`: name -> 'ssh-ed25519 AAAA...'. Every other node may start the receiver here."""
    lines = []
    for peer in cluster.nodes:
        if peer.name != node.name and peer.name in public_keys:
            key = " ".join(public_keys[peer.name].split()[:2])
            lines.append(f'restrict,command="{PROGRAM} receive --from {peer.name}" {key} '
                         f"pgwalship@{peer.name}")
    return lines


def known_hosts(cluster, host_keys):
    """`host_keys`: name -> ['ssh-ed25519 AAAA...', ...] as read on the node itself."""
    lines = []
    for node in cluster.nodes:
        host = node.address if node.port == 22 else f"[{node.address}]:{node.port}"
        for key in host_keys.get(node.name, []):
            lines.append(f"{host} {' '.join(key.split()[:2])}")
    return "".join(line + "\n" for line in lines)
