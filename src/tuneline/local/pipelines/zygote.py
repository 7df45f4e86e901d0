"""A process that has imported what steps need and forks one of itself for each task: `python -m ... zygote FD`.

Each message on the socket FD brings the two descriptors of a task: its lifeline, over which the configuration follows,
and the pipe whose end tells the end. What is forked first takes the wrapper's part (`local/processes/wrapper.py`) and
forks the task itself, which runs the launcher in the prepared interpreter.

It must have one thread when it forks; if an import starts another it leaves, and the driver does without it.
"""

import atexit
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
import traceback

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
    # What is here stays: a collection in a forked task would touch, and so copy, every page of it (0.2 s a task).
    gc.collect()
    gc.freeze()


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def become_wrapper(fd: int, ended: int) -> None:
    """The forked process: supervise one task, in a session of its own, and leave without the parent's clean-up."""
    os.setsid()
    lifeline = wrapper.Lifeline(fd)
    config = lifeline.configuration()
    code = 1
    try:
        if config is not None:
            code = wrapper.supervise(config, lifeline, lambda: run_task(config, ended))
    finally:
        os._exit(code)  # nothing may get past here: above is the zygote's own loop


def run_task(config, ended: int) -> None:
    """The task itself, as if the interpreter had just been started for it; never returns."""
    os.close(ended)
    os.environ.clear()
    os.environ.update(config["env"], **{wrapper.TOKEN: config["token"]})
    _, _, script, folder = config["argv"]
    sys.argv = [script, folder]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    code = 1
    try:
        code = launcher.main(folder)
        # As `multiprocessing` ends what it forked: threads joined, exit functions run, and no tear-down of an
        # interpreter that the process is about to leave anyway (0.04 s a task).
        threading._shutdown()
        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        # Nothing may get past here: above is the zygote's own loop.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), ours=sys.argv[2] == "ours")
