"""A supervised process ends with its supervisor, says how it ended, and never runs beside a successor."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tuneline.errors import TunelineError
from tuneline.local.processes import Supervised, exit_of, is_running, log_tail, reclaim, spawn, wrapper

ENV = {"PATH": os.environ["PATH"], "WORD": "héllo"}
BEAT = """
import os, sys, time
name = f"beat-{os.getpid()}"
while True:
    open(name, "w").write(str(time.time()))
    time.sleep(0.01)
"""


def run(folder: Path, code: str) -> Supervised:
    return spawn(folder, [sys.executable, "-c", code], ENV)


def until(condition: Callable[[], object], timeout_s: float = 10.0) -> object:
    deadline = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.005)
    return value


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def record(folder: Path) -> dict:
    until(lambda: (folder / "process.json").exists())
    return json.loads((folder / "process.json").read_text())


def test_output_environment_folder_and_exit_code_are_kept(tmp_path: Path) -> None:
    """What the program prints is in the log, and its code in exit.json."""
    process = run(
        tmp_path / "a", "import os, sys; print(os.environ['WORD'], os.getcwd(), flush=True); sys.exit('broken')"
    )
    ended = process.wait(10)
    assert (ended.code, ended.signal, ended.orphaned) == (1, None, False)
    assert log_tail(tmp_path / "a").splitlines() == [f"héllo {tmp_path / 'a'}", "broken"]
    assert exit_of(tmp_path / "a") == ended
    assert not is_running(tmp_path / "a")


def test_only_the_given_environment_reaches_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret of the supervisor's own environment is not handed down."""
    monkeypatch.setenv("SECRET", "1")
    spawn(tmp_path, [sys.executable, "-c", "import os; print(*sorted(os.environ))"], ENV).wait(10)
    assert set(log_tail(tmp_path).split()) - {"LC_CTYPE"} == {"PATH", "WORD", wrapper.TOKEN}


def test_a_long_argument_list_reaches_the_program(tmp_path: Path) -> None:
    """A configuration larger than a pipe's buffer is passed whole."""
    words = ["x" * 100_000] * 8
    argv = [sys.executable, "-c", "import sys; print(sum(map(len, sys.argv[1:])))", *words]
    assert spawn(tmp_path, argv, ENV).wait(10).ok
    assert log_tail(tmp_path) == "800000"


def test_a_program_that_does_not_exist_is_named_in_the_log(tmp_path: Path) -> None:
    assert spawn(tmp_path, ["no-such-program"], ENV).wait(10).code == 127
    assert "cannot start no-such-program" in log_tail(tmp_path)


def test_the_descriptor_becomes_readable_at_the_end(tmp_path: Path) -> None:
    """An event loop hears of the end without polling."""
    process = run(tmp_path, "import sys; sys.stdout.close(); input()")
    assert select.select([process.fileno()], [], [], 10)[0]
    assert process.wait(0).code == 1  # standard input is empty


def test_stop_lets_the_program_end_by_itself(tmp_path: Path) -> None:
    """SIGTERM comes first, and a program that ends on it keeps its own exit code."""
    process = run(
        tmp_path,
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(75)); print('up', flush=True); time.sleep(60)",
    )
    until(lambda: log_tail(tmp_path))
    process.stop(grace_s=30)
    assert process.wait(10).code == 75


def test_a_stop_that_meets_a_process_still_starting_is_heard(tmp_path: Path) -> None:
    """An order sent at any moment of the start ends the process at once, not after the grace."""
    started = time.monotonic()
    for number in range(20):
        process = run(tmp_path / str(number), "import time; time.sleep(60)")
        time.sleep(0.002 * number)  # one moment of the start after the other
        process.stop(grace_s=60)
        assert process.wait(30).signal == signal.SIGTERM
    assert time.monotonic() - started < 30


def test_stop_kills_what_ignores_it(tmp_path: Path) -> None:
    """After the grace the group is killed, however deaf."""
    process = run(tmp_path, "import signal, time; signal.signal(15, 1); print('up', flush=True); time.sleep(60)")
    until(lambda: log_tail(tmp_path))
    process.stop(grace_s=0.1)
    assert process.wait(10).signal == signal.SIGKILL


def test_what_the_program_left_behind_ends_with_it(tmp_path: Path) -> None:
    """As in a container: when the first process ends, so does everything it started, also in other sessions."""
    code = (
        "import subprocess, sys\n"
        "for new in (False, True):\n"
        "    print(subprocess.Popen(['sleep', '60'], start_new_session=new).pid)"
    )
    assert run(tmp_path, code).wait(10).ok
    left = [int(line) for line in log_tail(tmp_path).split()]
    assert len(left) == 2
    until(lambda: not any(alive(pid) for pid in left))


SUPERVISOR = """
import pathlib, sys, time
from tuneline.local.processes import spawn
process = spawn(pathlib.Path(sys.argv[1]), [sys.executable, "-c", sys.argv[2]], {"PATH": sys.argv[3]})
print("up", flush=True)
process.wait()
"""


def supervise_elsewhere(folder: Path, code: str) -> subprocess.Popen[str]:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder), code, os.environ["PATH"]], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    assert supervisor.stdout.readline() == "up\n"
    return supervisor


def test_kill_of_the_supervisor_kills_the_program(tmp_path: Path) -> None:
    """kill -9 of the supervisor: nothing of the program lives on, and the record says that it was orphaned."""
    supervisor = supervise_elsewhere(tmp_path, BEAT)
    pid = record(tmp_path)["pid"]
    until(lambda: (tmp_path / f"beat-{pid}").exists())
    supervisor.kill()
    supervisor.communicate()
    until(lambda: not alive(pid))
    until(lambda: exit_of(tmp_path))
    ended = exit_of(tmp_path)
    assert ended is not None
    assert ended.orphaned
    assert ended.signal == signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_kill_of_the_wrapper_kills_the_program(tmp_path: Path) -> None:
    """kill -9 of the wrapper: the program and what it started die, and the supervisor is told."""
    process = run(tmp_path, f"import subprocess; subprocess.Popen(['sleep', '60'])\n{BEAT}")
    found = record(tmp_path)
    until(lambda: (tmp_path / f"beat-{found['pid']}").exists())
    os.kill(found["wrapper"]["pid"], signal.SIGKILL)
    ended = process.wait(10)
    assert ended.signal == signal.SIGKILL
    assert not wrapper.kill_marked(found["token"])
    assert not is_running(tmp_path)


def test_kill_of_the_program_is_recorded(tmp_path: Path) -> None:
    process = run(tmp_path, BEAT)
    pid = record(tmp_path)["pid"]
    until(lambda: (tmp_path / f"beat-{pid}").exists())
    os.kill(pid, signal.SIGKILL)
    assert process.wait(10).signal == signal.SIGKILL


def test_a_successor_never_runs_beside_an_orphan(tmp_path: Path) -> None:
    """kill -9 of supervisor and wrapper at once, with a child that only the lock gives away: the orphan goes first."""
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BEAT!r}])\nimport time; time.sleep(60)"
    supervisor = supervise_elsewhere(tmp_path, code)
    found = record(tmp_path)
    until(lambda: list(tmp_path.glob("beat-*")))
    os.kill(found["wrapper"]["pid"], signal.SIGSTOP)  # it can neither see the lifeline break nor forward a signal
    supervisor.kill()
    supervisor.communicate()
    os.kill(found["wrapper"]["pid"], signal.SIGKILL)
    (orphan,) = (int(path.name.removeprefix("beat-")) for path in tmp_path.glob("beat-*"))
    successor = run(tmp_path, f"import os; os.stat('/proc/{orphan}/exe') if os.path.exists('/proc') else None")
    assert successor.wait(10).code == 1, "the orphan still ran when its successor did"
    assert not alive(orphan)


def test_a_recycled_process_id_is_left_alone(tmp_path: Path) -> None:
    """An id whose start time is another one is somebody else's process."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
        stale = {
            "pid": bystander.pid,
            "start": "another boot:1",
            "token": "none",
            "wrapper": {"pid": bystander.pid, "start": "another boot:1"},
        }
        (tmp_path / "process.json").write_text(json.dumps(stale))
        assert reclaim(tmp_path) is False
        assert bystander.poll() is None
        bystander.kill()


def test_a_folder_held_by_a_living_stranger_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lock is held by something that no record names, the second start fails and says so."""
    import fcntl

    monkeypatch.setattr("tuneline.local.processes.supervised.LOCK_WAIT_S", 0.05)
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TunelineError, match="held by another process"):
            run(tmp_path, "open('ran', 'w')").wait(10)
    assert not (tmp_path / "ran").exists()


def test_starting_is_fast(tmp_path: Path) -> None:
    """The wrapper costs a few hundredths of a second, since a pipeline pays it for every task."""
    spent = []
    for number in range(5):
        started = time.monotonic()
        spawn(tmp_path / str(number), ["true"], ENV).wait(10)
        spent.append(time.monotonic() - started)
    assert min(spent) < 0.25, spent
