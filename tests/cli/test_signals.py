"""What Ctrl-C and SIGTERM do to a command: one line, its status, nothing left; and to its processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import COMMAND, environment

SIGNALS = [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")]
PROGRAM = """
import os, signal, sys
from pathlib import Path
from diarize.cli import signals
from diarize.files.atomic import atomic_path

number = signal.Signals(int(sys.argv[1]))
signals.end_at_once()
try:
    with signals.raised(), atomic_path(sys.argv[2]) as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), number)
        signal.pause()
except KeyboardInterrupt as error:
    print(signals.told(error), signals.status_of(error), os.listdir(Path(sys.argv[2]).parent), flush=True)
if sys.argv[3:]:
    os.kill(os.getpid(), number)
    signal.pause()
"""


def end(*words: object, **options) -> subprocess.CompletedProcess[str]:
    command = list(map(str, words))
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment(), **options)


@pytest.mark.parametrize(("number", "told"), SIGNALS)
def test_what_is_open_is_closed_and_a_later_signal_ends_at_once(number, told, tmp_path):
    done = end(sys.executable, "-c", PROGRAM, int(number), tmp_path / "new" / "a.json", "again")
    assert done.stdout == f"{told} {128 + number} []\n"
    assert (done.returncode, done.stderr) == (128 + number, f"diarize: {told}\n")


@pytest.mark.parametrize(("number", "told"), SIGNALS)
def test_a_command_says_so_in_one_line(number, told, tmp_path):
    os.mkfifo(tmp_path / "a.rttm")  # the command waits for its writer
    words = [*COMMAND, "score", str(tmp_path / "a.rttm"), str(tmp_path / "a.rttm")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment())
    with (tmp_path / "a.rttm").open("w"):  # it has opened the other end: it works
        process.send_signal(number)
        assert process.communicate()[1] == f"diarize: {told}\n"
    assert process.returncode == 128 + number


def test_signals_that_are_ignored_stay_ignored(tmp_path):
    program = (
        "import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from diarize.cli import signals; signals.end_at_once()\n"
        "with signals.raised(): os.kill(os.getpid(), signal.SIGINT); print('goes on')"
    )
    assert end(sys.executable, "-c", program).stdout == "goes on\n"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc on this system")
def test_worker_processes_end_with_a_parent_that_is_killed(tmp_path):
    program = (
        "import os, sys, time\nfrom functools import partial\nfrom diarize.machine.processes import *\n"
        "def work(i): open(f'{sys.argv[1]}/{os.getpid()}', 'w').close(); time.sleep(0.05)\n"
        "list(map_in_processes(partial(same, work), range(9999), 2))"
    )
    (tmp_path / "main.py").write_text(program)
    folder = tmp_path / "pids"
    folder.mkdir()
    parent = subprocess.Popen([sys.executable, tmp_path / "main.py", folder], env=environment())
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    pids = [int(path.name) for path in folder.iterdir()]
    while any(_is_running(pid) for pid in pids):
        time.sleep(0.05)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
