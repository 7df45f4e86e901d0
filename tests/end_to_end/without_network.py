"""Run in a new network namespace: bring loopback up, run a command, and print what the kernel counted, as JSON."""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

SIOCSIFFLAGS, IFF_UP = 0x8914, 1


def bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


def sent() -> dict[str, int]:
    """Packets sent by each interface of the namespace."""
    lines = Path("/proc/net/dev").read_text().splitlines()[2:]
    return {name.strip(): int(counts.split()[9]) for name, _, counts in (line.partition(":") for line in lines)}


def attempts() -> int:
    """How often something was to be sent for which there is no route, by IPv4 or IPv6."""
    names, counts = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines()[:2])
    found = int(dict(zip(names, counts, strict=True))["OutNoRoutes"])
    six = Path("/proc/net/snmp6")
    rows = dict(line.split() for line in six.read_text().splitlines()) if six.exists() else {}
    return found + int(rows.get("Ip6OutNoRoutes", 0))


def main() -> None:
    bring_loopback_up()
    done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    counted = {"code": done.returncode, "said": done.stdout[-4000:], "interfaces": sorted(sent())}
    print(json.dumps({**counted, "sent": sent(), "attempts": attempts()}))


if __name__ == "__main__":
    main()
