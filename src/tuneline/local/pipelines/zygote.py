"""A process that has imported what steps need and forks one of itself for each task: `python -m ... zygote FD`.

Each message on the socket FD brings the two descriptors of a task: its lifeline, over which the configuration follows,
and the pipe whose end tells the end. What is forked first takes the wrapper's part (`local/processes/wrapper.py`) and
forks the task itself, which runs the launcher in the prepared interpreter.

It must have one thread when it forks; if an import starts another it leaves, and the driver does without it.
"""

import importlib
import os
import signal
import socket
import sys

from tuneline.local.pipelines import launcher
from tuneline.local.processes import wrapper

PREPARED = (
    "kfp.dsl.executor",
    "kfp.dsl.types.artifact_types",
    "requests",
    "google.cloud.storage",
)
"""What nearly every step imports: 0.06, 0.2 and 0.7 s on two cores. Nothing of tuneline's own above `objects`, and
nothing that starts a thread."""
LATER = ("tuneline.objects", "tuneline.google.rest", "jinja2")
"""What some steps import; prepared when nobody waits."""


def main(fd: int) -> None:
    """Serve until the driver closes the socket."""
    with socket.socket(fileno=fd) as requests:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forked wrappers are reaped by the kernel
        prepare(PREPARED)
        later = list(LATER)
        while True:
            if later and not readable(requests):
                prepare([later.pop(0)])
                continue
            message, fds, _, _ = socket.recv_fds(requests, 1, 2)
            if not message or threads() != 1:
                return
            lifeline, ended = fds
            if os.fork() == 0:
                requests.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                become_wrapper(lifeline, ended)
            os.close(lifeline)
            os.close(ended)


def prepare(modules) -> None:
    """Import modules; one that is not installed is left to the step that wants it."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            continue


def readable(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return bool(connection.recv(1, socket.MSG_PEEK)) or True
    except BlockingIOError:
        return False
    finally:
        connection.setblocking(True)


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def become_wrapper(fd: int, ended: int) -> None:
    """The forked process: supervise one task, in a session of its own, and leave without the parent's clean-up."""
    os.setsid()
    lifeline = wrapper.Lifeline(fd)
    config = lifeline.configuration()
    code = 0
    if config is not None:
        code = wrapper.supervise(config, lifeline, lambda: run_task(config, ended))
    os._exit(code)


def run_task(config, ended: int) -> None:
    """The task itself, as if the interpreter had just been started for it; leaves by SystemExit."""
    os.close(ended)
    os.environ.clear()
    os.environ.update(config["env"], **{wrapper.TOKEN: config["token"]})
    _, _, script, folder = config["argv"]
    sys.argv = [script, folder]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    sys.exit(launcher.main(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]))
