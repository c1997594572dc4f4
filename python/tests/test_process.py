"""The programs: found, stopped, and their lines of progress shown."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

import ebb
from ebb import _process
from ebb._progress import Bars


def program(folder: Path, text: str, name: str = "ebb-train") -> None:
    """A program of this name that runs lines of Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_a_missing_program_is_an_error_that_says_where_it_was_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EBB_BIN_DIR", str(tmp_path))
    with pytest.raises(ebb.EbbError, match=f"ebb-train is in none of {tmp_path}.*EBB_BIN_DIR"):
        _process.binary("ebb-train")


def test_ctrl_c_ends_the_program_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(
        tmp_path,
        f"import os, signal, sys, time\n"
        f"def stop(*_):\n    open({str(tmp_path / 'stopped')!r}, 'w').close(); sys.exit(130)\n"
        f"signal.signal(signal.SIGINT, stop)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        f"while True: time.sleep(0.05)",
    )
    monkeypatch.setenv("EBB_BIN_DIR", str(tmp_path))

    def interrupt() -> None:
        while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
            time.sleep(0.02)
        # As a notebook's server does: the signal goes to this process alone.
        os.kill(os.getpid(), signal.SIGINT)

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        _process.run(["fit"])
    waiting.join()
    assert (tmp_path / "stopped").exists(), "it was asked to end, not killed"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_program_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('on', flush=True)\ntime.sleep(99)")
    monkeypatch.setattr(_process, "STOP_SECONDS", 0.2)
    process = _process.subprocess.Popen([tmp_path / "ebb-train"], stdout=-1, text=True)
    assert process.stdout.readline() == "on\n"
    _process.stop(process)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL


def test_messages_become_warnings_and_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EBB_BIN_DIR", str(tmp_path))
    program(tmp_path, "import sys\nprint('warning: late', file=sys.stderr)\nprint('{\"done\": 1}')")
    with pytest.warns(ebb.EbbWarning, match="^late$") as warned:
        assert _process.run(["score"]) == {"done": 1}
    assert warned[0].filename == __file__, "the warning points at the caller"
    program(tmp_path, "import sys\nprint('error: first\\nhint: second', file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(ebb.DataError, match="^first\nhint: second$"):
        _process.run(["score"])
    program(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ebb.EbbError, match="SIGKILL: the machine may have too little memory") as caught:
        _process.run(["score"])
    assert caught.value.exit_code == -9


class Recorder:
    """A bar that keeps what it is shown."""

    made: list[Recorder] = []

    def __init__(self, **options: object) -> None:
        self.desc, self.total, self.unit, self.n, self.closed = options["desc"], options["total"], options["unit"], 0, False
        Recorder.made.append(self)

    def update(self, more: int) -> None:
        self.n += more

    def close(self) -> None:
        self.closed = True


def test_progress_is_a_bar_for_each_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    Recorder.made = []
    monkeypatch.setattr("ebb._progress.bar_of_tqdm", lambda: Recorder)
    bars = Bars(shown=True)
    assert bars.take('{"phase": "reading the log", "done": 10, "total": 40, "unit": "bytes"}\n')
    assert bars.take('{"phase": "reading the log", "done": 40, "total": 40, "unit": "bytes"}\n')
    assert bars.take('{"phase": "fitting", "done": 1, "total": null, "unit": "models"}\n')
    assert not bars.take("warning: late\n")
    assert not bars.take('{"other": 1}\n')
    assert not bars.take("{broken\n")
    bars.close()
    reading, fitting = Recorder.made
    assert (reading.desc, reading.n, reading.total, reading.unit, reading.closed) == ("reading the log", 40, 40, "B", True)
    assert (fitting.n, fitting.total, fitting.unit, fitting.closed) == (1, None, " models", True)


def test_without_tqdm_there_are_no_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert Bars(shown=True).take('{"phase": "fitting", "done": 1, "total": 2, "unit": "models"}')
