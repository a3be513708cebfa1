"""The one folder a clinic's recordings may be read from.

A table of participants names files. It may come from anywhere, so it must not be able to name a
file outside this folder: not by ``..``, not by an absolute path, not through a symbolic link.
``relative_path`` looks at the words alone and touches no file; ``find`` looks at the file.
"""

import os
import stat
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

from shared.errors import InputError

__all__ = ["RecordingsFolder"]


class RecordingsFolder:
    """Recordings below one folder.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    InputError
        When there is no such folder.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.root = folder.resolve(strict=True)
        except (OSError, RuntimeError):
            raise InputError(
                f"{folder}: no such folder of recordings; name it with --recordings, or plug in "
                "the disk it is on"
            ) from None
        if not self.root.is_dir():
            raise InputError(f"{folder} is a file; name the folder of the recordings")
        self._as_named = Path(os.path.abspath(folder))  # noqa: PTH100 - links stay unresolved
        self._inside: dict[Path, bool] = {}

    def relative_path(self, video: str) -> str:
        """Path of a recording inside the folder, with forward slashes.

        Parameters
        ----------
        video : str
            As a table names it: relative to the folder, or an absolute path inside it; slashes or
            backslashes.

        Raises
        ------
        InputError
            When it is no path of a file below the folder. The message holds no path.
        """
        if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in video):
            raise InputError("has a line break or a control character")
        text = video.replace("\\", "/")
        if os.name != "nt" and PureWindowsPath(video).drive:
            raise InputError("is a Windows path outside the recordings folder")
        path = Path(text)
        if path.is_absolute():
            for root in (self._as_named, self.root):
                if path.is_relative_to(root):
                    path = path.relative_to(root)
                    break
            else:
                raise InputError("is an absolute path outside the recordings folder")
        parts = PurePosixPath(path.as_posix()).parts
        if ".." in parts:
            raise InputError("has '..' in it; name the file below the recordings folder")
        if not parts:
            raise InputError("names the recordings folder itself, not a file in it")
        return "/".join(parts)

    def find(self, relative: str) -> tuple[str, Path]:
        """The file of a recording.

        Parameters
        ----------
        relative : str
            From ``relative_path``.

        Returns
        -------
        relative : str
            As the disk spells it: accents can be written in two ways, and computers differ.
        file : Path
            Without symbolic links.

        Raises
        ------
        InputError
            When the file is missing, leads out of the folder, is empty, is no file, or may not be
            read. The message holds no path.
        """
        for form in (relative, *(unicodedata.normalize(f, relative) for f in ("NFC", "NFD"))):
            path = self.root / form
            try:
                status = path.lstat()
            except (OSError, ValueError):
                continue
            return form, self._checked(path, status)
        raise InputError("names no file in the recordings folder")

    def _checked(self, path: Path, status: os.stat_result) -> Path:
        try:
            if stat.S_ISLNK(status.st_mode) or not self._is_inside(path.parent):
                path = path.resolve(strict=True)
                if not path.is_relative_to(self.root):
                    raise InputError("is a link that leads out of the recordings folder")
                status = path.stat()
        except (OSError, RuntimeError):
            raise InputError("is a link that leads nowhere") from None
        if not stat.S_ISREG(status.st_mode):
            raise InputError("is not a file")
        if status.st_size == 0:
            raise InputError("is empty (0 bytes); copy the recording again")
        if not os.access(path, os.R_OK):
            raise InputError("may not be read; check the file's permissions")
        return path

    def _is_inside(self, folder: Path) -> bool:
        """Whether ``folder`` is reached without a link; asked once a folder, tables are long."""
        if folder not in self._inside:
            self._inside[folder] = folder.resolve() == folder
        return self._inside[folder]
