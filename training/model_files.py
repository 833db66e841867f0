"""Whether the files of a saved model are those that were written."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path


def file_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of files by name."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def changed_files(folder: Path, digests: Mapping[str, str]) -> list[str]:
    """Names of files that are others than when `file_digests` read them; raises OSError where one is missing."""
    return [name for name, digest in file_digests(folder, digests).items() if digest != digests[name]]
