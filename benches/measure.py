"""Measuring programs from outside: time, peak memory, and the first screen of a terminal program.

Standard library only; Linux.
"""

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

ESCAPE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences
    rb"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # operating system commands
    rb"|\x1b[PX^_].*?\x1b\\"  # device control and other strings
    rb"|\x1b[ -/]*[0-~]",
    re.S,
)
# What a terminal program may ask before it draws, and what xterm answers.
ANSWERS = {
    b"\x1b[6n": b"\x1b[1;1R",
    b"\x1b[c": b"\x1b[?64;22c",
    b"\x1b[0c": b"\x1b[?64;22c",
    b"\x1b]10;?": b"\x1b]10;rgb:e5e5/e5e5/e5e5\x1b\\",
    b"\x1b]11;?": b"\x1b]11;rgb:0000/0000/0000\x1b\\",
}
LONGEST_QUERY = max(map(len, ANSWERS))


@dataclass
class Subject:
    """One command under measurement, and what was found so far."""

    label: str
    command: list[str]
    # Runs with what its earlier runs left in its home directory, where it keeps caches.
    keeps_home: bool = False
    seconds: list[float] = field(default_factory=list)
    peak_bytes: list[int] = field(default_factory=list)
    failure: str = ""


class Homes:
    """A private home for every subject, so that caches are empty, or filled only by the subject itself."""

    def __init__(self, work: Path):
        self.work = work

    def environment(self, subject: Subject) -> dict[str, str]:
        home = self.work / re.sub(r"\W+", "-", subject.label)
        if not subject.keeps_home:
            shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
        return environment | {"HOME": str(home), "CI": "", "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def spawn(command: list[str], environment: dict[str, str], errors: int) -> int:
    null = os.open(os.devnull, os.O_RDWR)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, errors, 2)]
        return os.posix_spawnp(command[0], command, environment, file_actions=actions)
    finally:
        os.close(null)


def wait(pid: int, timeout: float) -> int | None:
    """The exit status, or none when the time ran out; the program is dead in either case."""
    handle = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([handle], [], [], timeout)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return os.waitstatus_to_exitcode(status) if ended else None
    finally:
        os.close(handle)


def run_once(subject: Subject, homes: Homes, timeout: float, prefix: list[str]) -> float | None:
    """Wall-clock seconds of one run; none, with the subject's failure set, when it did not succeed."""
    environment = homes.environment(subject)
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        code = wait(spawn(prefix + subject.command, environment, errors.fileno()), timeout)
        seconds = time.perf_counter() - start
        if code == 0:
            return seconds
        errors.seek(0)
        lines = errors.read().decode(errors="replace").split("\n")
    subject.failure = f"not within {timeout:.0f} s" if code is None else f"exit {code}: {lines[0][:80]}"
    return None


def measure_commands(subjects: list[Subject], homes: Homes, runs: int, budget: float) -> None:
    """Times the subjects in turn, round by round, after one round that only warms up; then their peak memory.

    A subject that took more than `budget` seconds in all is not run again.
    """
    for round_number in range(runs + 1):
        for subject in subjects:
            if subject.failure or sum(subject.seconds) > budget:
                continue
            seconds = run_once(subject, homes, budget, [])
            if seconds is not None and (round_number > 0 or seconds > budget / 2):
                subject.seconds.append(seconds)
    for subject in subjects:
        if not subject.failure:
            measure_peak(subject, homes, budget)


def measure_peak(subject: Subject, homes: Homes, timeout: float) -> None:
    # A child's peak counts from before it became the program, so its parent must be small: GNU time is, Python not.
    gnu_time = shutil.which("time")
    if gnu_time is None:
        return
    with tempfile.NamedTemporaryFile("r") as out:
        prefix = [gnu_time, "--format=%M", f"--output={out.name}"]
        if run_once(subject, homes, timeout, prefix) is not None:
            subject.peak_bytes.append(int(out.read().split()[-1]) * 1024)


def measure_first_screens(
    subjects: list[Subject], homes: Homes, runs: int, patterns: list[str], budget: float, columns: int, rows: int
) -> None:
    """Times start to the first screen that has shown something for every pattern, in turn like the commands.

    Patterns see the text drawn so far, with a blank for every escape sequence.
    """
    for round_number in range(runs + 1):
        for subject in subjects:
            if subject.failure or sum(subject.seconds) > budget:
                continue
            seconds, peak = first_screen(subject, homes, patterns, budget, columns, rows)
            if seconds is not None and (round_number > 0 or seconds > budget / 2):
                subject.seconds.append(seconds)
                subject.peak_bytes.append(peak)


def first_screen(
    subject: Subject, homes: Homes, patterns: list[str], timeout: float, columns: int, rows: int
) -> tuple[float | None, int]:
    environment = homes.environment(subject)
    master, slave = os.openpty()
    try:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        terminal = os.ttyname(slave)
        # The first terminal that the leader of a new session opens becomes its controlling terminal.
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, terminal, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ]
        start = time.perf_counter()
        command = subject.command
        pid = os.posix_spawnp(command[0], command, environment, file_actions=actions, setsid=True)
        os.close(slave)
        slave = -1
        found, drawn = read_until(master, patterns, start, timeout)
        peak = peak_of_running(pid) if found is not None else 0
        leave(master, pid)
    finally:
        os.close(master)
        if slave >= 0:
            os.close(slave)
    if found is None:
        shown = ESCAPE.sub(b" ", drawn).decode(errors="replace").split()
        subject.failure = f"not shown within {timeout:.0f} s: {' '.join(shown)[:60]}"
    return found, peak


def read_until(master: int, patterns: list[str], start: float, timeout: float) -> tuple[float | None, bytes]:
    drawn = b""
    unanswered = b""
    while (left := start + timeout - time.perf_counter()) > 0:
        ready, _, _ = select.select([master], [], [], left)
        if not ready:
            break
        try:
            data = os.read(master, 1 << 16)
        except OSError:  # the program has closed its terminal
            break
        drawn += data
        unanswered = answer(master, unanswered + data)
        text = ESCAPE.sub(b" ", drawn)
        if all(re.search(pattern.encode(), text) for pattern in patterns):
            return time.perf_counter() - start, drawn
    return None, drawn


def answer(master: int, data: bytes) -> bytes:
    """Answers the queries in the data; returns its tail, in which one may have begun."""
    last = 0
    for query, reply in ANSWERS.items():
        at = data.find(query)
        while at >= 0:
            os.write(master, reply)
            last = max(last, at + len(query))
            at = data.find(query, at + len(query))
    return data[last:][-(LONGEST_QUERY - 1) :]


def peak_of_running(pid: int) -> int:
    match = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(match.group(1)) * 1024 if match else 0


def leave(master: int, pid: int) -> None:
    try:
        os.write(master, b"q")
    except OSError:
        pass
    handle = os.pidfd_open(pid)
    try:
        deadline = time.perf_counter() + 0.5
        while (left := deadline - time.perf_counter()) > 0:
            ready, _, _ = select.select([handle, master], [], [], left)
            if handle in ready or not ready:
                break
            try:
                os.read(master, 1 << 16)
            except OSError:
                break
    finally:
        os.close(handle)
    wait(pid, 0.5)


def version_of(program: str, *arguments: str) -> str:
    try:
        result = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (result.stdout or result.stderr).strip().split("\n")[0]
