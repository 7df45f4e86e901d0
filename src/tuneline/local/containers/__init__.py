"""Programs of other people's images, in containers of an engine of this machine: docker, or podman.

A container is a process like any other of the service: `run` is what stands for it here. It shares this machine's
network, so that it reaches the service on loopback, and is removed however the service ends.
"""

from tuneline.local.containers.engine import Engine, find, for_use, sweep
from tuneline.local.containers.task import HOME, MOUNT, command, environment, here

__all__ = ["HOME", "MOUNT", "Engine", "command", "environment", "find", "for_use", "here", "sweep"]
