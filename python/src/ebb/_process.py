"""Runs ``ebb-train``: where it lies, its progress, its result and its errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from ._errors import DataError, EbbError, EbbWarning, UsageError, VerdictError
from ._progress import Bars

#: How long the program may take to remove what it has begun to write, once it has been asked to end.
STOP_SECONDS = 10.0


def binary(name: str) -> Path:
    """Find one of the two programs.

    Parameters
    ----------
    name : str
        ``ebb-train`` or ``ebb-serve``.

    Returns
    -------
    pathlib.Path
        The program in the folder that ``EBB_BIN_DIR`` names, or else the one that was installed with this package.

    Raises
    ------
    EbbError
        If it is not there.
    """
    chosen = os.environ.get("EBB_BIN_DIR")
    if chosen:
        folders = [chosen]
    else:
        folders = [sysconfig.get_path("scripts"), sysconfig.get_path("scripts", f"{os.name}_user")]
        # `pip install --target FOLDER` puts programs into FOLDER/bin.
        folders.append(str(Path(__file__).resolve().parent.parent / "bin"))
    for folder in folders:
        path = Path(folder) / name
        if path.is_file() and os.access(path, os.X_OK):
            return path
    raise EbbError(
        f"{name} is in none of {', '.join(folders)}: install the wheel of ebb again, or name the folder that holds the "
        "programs in the environment variable EBB_BIN_DIR"
    )


def run(
    command: Sequence[str | Path],
    *,
    progress: bool = True,
    renamed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a command of ``ebb-train``.

    Parameters
    ----------
    command : sequence of str or path
        The command with its arguments.
    progress : bool
        Whether bars of progress are shown, where tqdm is installed.
    renamed : mapping of str to str, optional
        Paths of temporary files, and what messages call them instead.

    Returns
    -------
    dict
        The JSON object that the command printed.

    Raises
    ------
    UsageError, DataError, VerdictError, EbbError
        If the command failed; see each for when.
    """
    arguments = [str(binary("ebb-train")), "--json", "--progress", "json", *map(str, command)]
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        # A path in a message may be anything.
        errors="replace",
    )
    assert process.stdout is not None and process.stderr is not None, "both are pipes"
    try:
        messages = Messages(process.stderr, Bars(shown=progress))
        messages.start()
        output = process.stdout.read()
        code = process.wait()
        messages.join()
    except BaseException:
        # Ctrl-C in a notebook reaches this process alone.
        stop(process)
        raise
    finally:
        process.stdout.close()
    return outcome(output, code, messages.text(renamed or {}))


class Messages(threading.Thread):
    """Reads standard error: lines of progress go to the bars, all others are kept."""

    def __init__(self, stream: IO[str], bars: Bars) -> None:
        super().__init__(name="ebb-train messages", daemon=True)
        self._stream = stream
        self._bars = bars
        self._lines: list[str] = []

    def run(self) -> None:
        with self._stream:
            for line in self._stream:
                if not self._shown(line):
                    self._lines.append(line.rstrip("\n"))
        self._bars.close()

    def _shown(self, line: str) -> bool:
        try:
            return self._bars.take(line)
        except Exception as error:
            # The program would wait for ever on a pipe that nobody reads, because of a bar.
            self._bars = Bars(shown=False)
            self._lines.append(f"warning: progress is not shown: {error}")
            return True

    def text(self, renamed: Mapping[str, str]) -> str:
        """All messages, with what the caller calls the files in them."""
        text = "\n".join(self._lines)
        for path, name in renamed.items():
            text = text.replace(path, name)
        return text


def stop(process: subprocess.Popen[str]) -> None:
    """End a program as a terminal would, and one that does not end by force."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def outcome(output: str, code: int, text: str) -> dict[str, Any]:
    """The result of a command by its exit code."""
    lead, _, error = f"\n{text}".partition("\nerror: ")
    for line in filter(None, lead.split("\n")):
        warnings.warn(line.removeprefix("warning: "), EbbWarning, stacklevel=caller_level())
    message = error.strip() or text.strip()
    if code < 0:
        name = signal.Signals(-code).name
        cause = ": the machine may have too little memory" if name == "SIGKILL" else ""
        raise EbbError(f"ebb-train was ended by {name}{cause}", exit_code=code)
    if code == 64:
        raise UsageError(message, exit_code=code)
    if code == 2:
        result = json.loads(output) if output.strip() else {}
        raise VerdictError(message, exit_code=code, result=result)
    if code != 0:
        raise DataError(message or f"ebb-train ended with exit code {code}", exit_code=code)
    if not output.strip():
        return {}
    result = json.loads(output)
    assert isinstance(result, dict), "a command prints one JSON object"
    return result


def caller_level() -> int:
    """The frame of the first caller outside of this package, for warnings."""
    level, frame = 1, sys._getframe(1)
    folder = str(Path(__file__).parent)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(folder):
        frame, level = frame.f_back, level + 1
    return level
