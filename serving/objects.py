"""Files in object storage: read whole, and told apart from what lay there before, as files of this machine are."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from pyarrow import fs

#: Schemes of addresses, and the environment that says where the storage is and who asks it.
SCHEMES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION and, where it is not AWS, AWS_ENDPOINT_URL",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
#: What an address is read with besides itself.
_ENDPOINT = "AWS_ENDPOINT_URL"


class ObjectError(OSError):
    """An object that cannot be read, or an address that names none; the message says why and what to set."""


@cache
def _storage(address: str, _: str) -> tuple[fs.FileSystem, str]:
    """File system and path of an address; to make one takes some fifty milliseconds of a core."""
    return fs.FileSystem.from_uri(address)


@dataclass(frozen=True)
class StoredObject:
    """An object by its address, such as `s3://bucket/catalogue.parquet`; who asks is said by the environment.

    Raises
    ------
    ObjectError
        Where the address names no file, or carries a password.
    """

    address: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if "@" in parts.netloc:
            raise ObjectError(f"{self}: an address carries no keys; set {self._told_by}")
        if not parts.netloc or not self.suffix:
            raise ObjectError(f"{self} names no file: write {parts.scheme}://BUCKET/PATH/catalogue.parquet")

    def __str__(self) -> str:
        """The address without keys and options."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def suffix(self) -> str:
        """Ending of the name, with its dot."""
        return PurePosixPath(urlsplit(self.address).path).suffix

    @property
    def _told_by(self) -> str:
        return SCHEMES[urlsplit(self.address).scheme.lower()]

    def stamp(self) -> tuple[tuple[str, bytes], ...]:
        """What the storage says of the object, its ETag and time among it: another one once it was written anew.

        Raises
        ------
        ObjectError
        """
        try:
            storage, path = self._opened()
            with storage.open_input_file(path) as file:
                return tuple(sorted(file.metadata().items()))
        except OSError as error:
            raise self._unreadable(error) from error

    def read(self) -> bytes:
        """All of it, in one request: no half of an older and half of a newer one.

        Raises
        ------
        ObjectError
        """
        try:
            storage, path = self._opened()
            with storage.open_input_stream(path, buffer_size=0) as file:
                return bytes(file.read())
        except OSError as error:
            raise self._unreadable(error) from error

    def _opened(self) -> tuple[fs.FileSystem, str]:
        return _storage(self.address, os.environ.get(_ENDPOINT, ""))

    def _unreadable(self, error: OSError) -> ObjectError:
        return ObjectError(f"{self} cannot be read: {error}; who asks, and where, is said by {self._told_by}")
