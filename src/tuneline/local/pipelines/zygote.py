"""A process that has imported what steps need and forks one of itself for each task: `python -m ... zygote FD`.

Each message on the socket FD brings the two descriptors of a task: its lifeline, over which the configuration follows,
and the pipe whose end tells the end. What is forked first takes the wrapper's part (`local/processes/wrapper.py`) and
forks the task itself, which runs the launcher in the prepared interpreter.

It must have one thread when it forks; if an import starts another it leaves, and the driver does without it.
"""

import importlib
import os
import select
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
"""What nearly every step imports: 0.06, 0.2 and 0.7 s on two cores. Nothing that starts a thread."""
LATER = (
    *(
        f"tuneline.steps.{name}"
        for name in (
            "plan_tuning",
            "upload_dataset",
            "submit_tuning_job",
            "wait_for_tuning_job",
            "select_checkpoint",
            "upload_model",
            "evaluate_model",
            "deploy_model",
            "report_run",
        )
    ),
    "numpy",
    "rapidfuzz.distance",
    "jinja2",
    "tuneline.reports",
)
"""What the steps of our own pipelines import, in their order; prepared one by one while nobody asks for a task. A
zygote lives as long as one run, so a step's source that was edited is read afresh by the next."""
IDLE_S = 0.25
"""How long nobody must have asked for a task before the next of these is imported."""


def main(fd: int, *, ours: bool) -> None:
    """Serve until the driver closes the socket; `ours`: the run has steps of this project."""
    with socket.socket(fileno=fd) as requests:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # forked wrappers are reaped by the kernel
        prepare(PREPARED)
        later = list(LATER if ours else ())
        while True:
            if later and not select.select([requests], [], [], IDLE_S)[0]:
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
    main(int(sys.argv[1]), ours=sys.argv[2] == "ours")
