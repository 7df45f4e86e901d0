"""The process between a supervisor and its child: it outlives neither, and leaves a record of how the child ended.

It is imported alone by `python -I -S` (12 ms), so it needs nothing but a few light modules of the standard library.

Lifeline: its standard input, of which the supervisor holds the only writing end. The first line is the configuration
(JSON); further lines are orders (`stop GRACE_SECONDS`, `kill`); the end of the file means that the supervisor is gone,
and the child's group is killed. It works on every system; Linux also kills the child when this process is killed.

Lock: `folder/lock` is held through a file descriptor that the child inherits, so that while anything of the child
lives, no successor starts in the same folder.

Files written, each whole or not at all: `process.json` before the child's program starts, `exit.json` after nothing of
it runs any more.
"""

import errno
import fcntl
import json
import os
import select
import signal
import sys
import time

TOKEN = "TUNELINE_PROCESS"
"""Environment variable that marks a child and what it starts, so that orphans are found even outside their group."""
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOCK_BUSY = 111
"""Exit code of the wrapper when another process holds the folder for longer than the configured wait."""


def main():
    """Supervise what the first line of standard input describes; argument 2 is the pipe whose end tells the end."""
    os.set_inheritable(int(sys.argv[2]), False)
    lifeline = Lifeline(0)
    config = lifeline.configuration()
    if config is not None:
        os._exit(supervise(config, lifeline, lambda: execute(config)))


def execute(config):
    """Become the configured program; only returns by raising OSError."""
    os.execvpe(config["argv"][0], config["argv"], dict(config["env"], **{TOKEN: config["token"]}))


class Lifeline:
    """Orders from the supervisor, line by line; `broken` once its end is closed."""

    def __init__(self, fd):
        self.fd = fd
        self.buffer = b""
        self.broken = False

    def configuration(self):
        """The first line, or None where the supervisor died before it was whole."""
        while not self.broken:
            for line in self.lines():
                return json.loads(line)
        return None

    def lines(self):
        """Read once (blocking until something is there) and yield the first whole line, if any."""
        if b"\n" not in self.buffer:
            piece = os.read(self.fd, 1 << 20)
            self.broken = not piece
            self.buffer += piece
        line, newline, rest = self.buffer.partition(b"\n")
        if newline:
            self.buffer = rest
            yield line

    def waiting(self):
        return b"\n" in self.buffer

    def cut(self):
        """Whether the supervisor is gone, known without reading: orders that it left stay where they are."""
        poller = select.poll()
        poller.register(self.fd, 0)  # a hang-up is told unasked
        return self.broken or bool(poller.poll(0))


def supervise(config, lifeline, run_child):
    """Run `run_child` in its own session until it ends or the lifeline breaks; returns this process's exit code."""
    folder = config["folder"]
    os.chdir("/")
    lock = take_lock(os.path.join(folder, "lock"), lifeline, config["lock_wait_s"])
    if lock is None:
        return LOCK_BUSY
    # A restart under the same folder must not show how the one before ended.
    remove(os.path.join(folder, "exit.json"))
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    stop_wishes = []
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in STOPPING:
        signal.signal(number, lambda *_: stop_wishes.append(config["grace_s"]))
    gate_read, gate_write = os.pipe()
    # A signal that comes before the child has its own dispositions would meet a copy of the handlers above.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    pid = os.fork()
    if pid != 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
    else:
        become_child(config, run_child, lock, gate_read, [gate_write, lifeline.fd, wake_read, wake_write])
    os.close(gate_read)
    write_json(
        os.path.join(folder, "process.json"),
        {
            "pid": pid,
            "start": start_of(pid),
            "token": config["token"],
            "wrapper": {"pid": os.getpid(), "start": start_of(os.getpid())},
            "argv": [argument[:200] for argument in config["argv"]],
            "started": now(),
        },
    )
    if lifeline.cut():
        # Its successor may have looked for process.json before that was there, and have begun elsewhere: the child must
        # not. A supervisor that dies later than this has left what its successor needs to find the child.
        os.close(gate_write)
    else:
        open_gate(gate_write)
    status = watch(pid, lifeline, wake_read, stop_wishes)
    # A container takes everything with it when its first process ends; so does this.
    kill_group(pid)
    kill_marked(config["token"])
    code, number = outcome(status)
    write_json(
        os.path.join(folder, "exit.json"),
        {"code": code, "signal": number, "ended": now(), "orphaned": lifeline.broken},
    )
    return 0


def open_gate(fd):
    """Let the child go on to its program; one that somebody has killed by now is watch()'s to tell of."""
    try:
        os.write(fd, b"!")
    except BrokenPipeError:
        return
    finally:
        os.close(fd)


def become_child(config, run_child, lock, gate, close):
    """The child's side of the fork: a session and group of its own, the log as its output, then the program."""
    try:
        for fd in close:
            os.close(fd)
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (*STOPPING, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        parent = os.getppid()
        die_with_parent()
        redirect(os.open(os.devnull, os.O_RDONLY), [0])  # first: the lifeline just closed may have been descriptor 0
        log = os.path.join(config["folder"], config["log"])
        redirect(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), [1, 2])
        os.set_inheritable(lock, True)
        if os.read(gate, 1) != b"!" or os.getppid() != parent:
            os._exit(125)  # the wrapper died before it could write down who this is
        os.close(gate)
        os.chdir(config["cwd"])
        run_child()
    except OSError as error:
        os.write(2, f"cannot start {config['argv'][0]}: {error.strerror or error}\n".encode())
        os._exit(126 if error.errno == errno.EACCES else 127)
    os._exit(125)


def redirect(fd, targets):
    """Make each of `targets` a copy of `fd`, which is closed unless it is one of them."""
    for target in targets:
        os.dup2(fd, target)
    if fd not in targets:
        os.close(fd)


def watch(pid, lifeline, wake, stop_wishes):
    """Wait for the child, carrying out orders; returns its wait status."""
    deadline = None
    poller = select.poll()
    poller.register(lifeline.fd, select.POLLIN)
    poller.register(wake, select.POLLIN)
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        while lifeline.waiting():
            for line in lifeline.lines():
                order(line, pid, stop_wishes)
        while stop_wishes:
            signal_group(pid, signal.SIGTERM)
            wanted = time.monotonic() + stop_wishes.pop()
            deadline = wanted if deadline is None else min(deadline, wanted)
        timeout = None
        if deadline is not None:
            timeout = max(0.0, (deadline - time.monotonic()) * 1000)
            if not timeout:
                kill_group(pid)
                deadline, timeout = None, None
        for fd, _ in poller.poll(timeout):
            if fd == wake:
                drain(wake)
                continue
            for line in lifeline.lines():
                order(line, pid, stop_wishes)
            if lifeline.broken:
                kill_group(pid)
                poller.unregister(lifeline.fd)


def order(line, pid, stop_wishes):
    word, _, rest = line.decode().partition(" ")
    if word == "stop":
        stop_wishes.append(float(rest))
    elif word == "kill":
        kill_group(pid)


def take_lock(path, lifeline, wait_s):
    """A file descriptor that holds the lock, or None: still taken after `wait_s`, or the supervisor is gone."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None if lifeline.cut() else fd
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        if time.monotonic() > deadline:
            return None
        # flock has no wait with a deadline; the orphan that holds it is being killed at this moment.
        readable, _, _ = select.select([] if lifeline.broken else [lifeline.fd], [], [], 0.02)
        if readable and not lifeline.waiting():
            for line in lifeline.lines():
                lifeline.buffer = line + b"\n" + lifeline.buffer
                break
        if lifeline.broken:
            return None


def die_with_parent():
    """On Linux, have the kernel kill this process when the wrapper dies; elsewhere the supervisor does it."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # 1: PR_SET_PDEATHSIG


def outcome(status):
    """(exit code, None) or (None, signal number)."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def signal_group(pid, number):
    """Send to the group that `pid` leads; a group that is gone, or not yet made, falls back to the process itself."""
    for send in (os.killpg, os.kill):
        try:
            send(pid, number)
            return
        except ProcessLookupError:
            continue
        except PermissionError:
            return  # only zombies of ours are left in it (macOS says EPERM for them)


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def kill_marked(token):
    """Kill whatever carries this token in its environment and left its group; where /proc exists. Returns their ids."""
    wanted = f"{TOKEN}={token}".encode()
    found = []
    try:
        entries = os.listdir("/proc")
    except OSError:
        return found
    for entry in entries:
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted in file.read().split(b"\0"):
                    os.kill(int(entry), signal.SIGKILL)
                    found.append(int(entry))
        except (OSError, ValueError):
            continue  # it ended meanwhile, or is another user's
    return found


def start_of(pid):
    """When a process started, as text that no other process with the same id can have; '' if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses may hold anything; the 22nd field counts from the start of the line.
            ticks = file.read().rpartition(b")")[2].split()[19].decode()
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{file.read().strip()}:{ticks}"
    except FileNotFoundError:
        if os.path.exists("/proc/self/stat"):
            return ""
    except ProcessLookupError:
        return ""
    import subprocess

    answer = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout.strip()


def write_json(path, value):
    temporary = f"{path}.{os.getpid()}"
    with open(temporary, "w") as file:
        json.dump(value, file)
    os.replace(temporary, path)


def remove(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def drain(fd):
    try:
        while os.read(fd, 512):
            pass
    except BlockingIOError:
        return


def now():
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"
