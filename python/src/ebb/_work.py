"""A private folder with a log, its configuration and what a command writes."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

from ._errors import UsageError
from ._events import IdType, Log, paths_of, timezone
from ._process import run
from ._settings import Settings


class Work:
    """A log that ``ebb-train`` can read, and the folder that holds it.

    The folder is readable by this user alone. It is removed by :meth:`close`, with the object, or when Python ends.

    Parameters
    ----------
    data : path, sequence of paths, frame or None
        The events; None for the files that the configuration names.
    settings : Settings
        What the columns mean.
    config : pathlib.Path, optional
        The file that the settings were read from; without it they are written into the folder.
    ids : IdType
        What the ids are where the data does not say.
    """

    def __init__(self, data: Any, settings: Settings, config: Path | None, ids: IdType = IdType.TEXT) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ebb-"))
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.settings = settings
        self.ids = ids
        self._events: list[str] = []
        try:
            self._prepare(data, config)
        except BaseException:
            self.close()
            raise

    def _prepare(self, data: Any, config: Path | None) -> None:
        if data is None and not self.settings.paths:
            raise UsageError("which events? Give a frame or a path, or a configuration whose `events.paths` names files")
        if data is not None:
            log = Log.of(data, self.settings.columns, self.folder)
            self._events, self.ids = log.paths, log.ids
            if config is None:
                given = self.settings.values.get("events", {}).get("timezone")
                self.settings = self.settings.with_events(timezone=timezone(log.zone, given))
                if paths_of(data) is not None:
                    self.settings = self.settings.with_events(paths=log.paths)
        # Relative paths in a configuration begin at its own folder.
        self.config = self.folder / "ebb.toml" if config is None else config
        if config is None:
            self.settings.write(self.config)

    def run(
        self, command: str, *flags: str | Path, progress: bool = True, model: Path | None = None
    ) -> dict[str, Any]:
        """Run a command on the log; the JSON object that it printed."""
        arguments: list[str | Path] = [command, "--config", self.config, "--temp", self.folder]
        for path in self._events:
            arguments += ["--events", path]
        if model is not None:
            arguments += ["--model", model]
        names = {
            str(self.folder / "events.parquet"): "the data",
            str(self.folder / "ebb.toml"): "the settings",
            str(self.folder): "the temporary folder",
        }
        return run([*arguments, *flags], progress=progress, renamed=names)

    def close(self) -> None:
        """Remove the folder."""
        self._remove()


def flags(**given: Any) -> list[str]:
    """Flags of the command line: True is the flag alone, None and False none, and a list is repeated.

    A value that begins with a dash, as an id may, is no flag: it stands behind an equals sign.
    """
    words: list[str] = []
    for name, value in given.items():
        flag = f"--{name.strip('_').replace('_', '-')}"
        if value is True:
            words.append(flag)
        elif isinstance(value, list):
            words += [f"{flag}={one}" for one in value]
        elif value is not None and value is not False:
            words.append(f"{flag}={value}")
    return words
