"""Every error that Quire raises on purpose.

    QuireError
    ├── ConfigError          a setting, flag or environment variable is wrong
    ├── OfflineError         something would have used the network, and must not
    ├── VaultError           the vault is missing, not a folder, or cannot be read
    ├── StoreError           the index cannot be opened, read or written
    │   ├── DamagedIndexError    the database is not one, or not whole
    │   ├── IndexLockedError     another process is writing to this vault's index
    │   ├── IndexReadOnlyError   the index, or its folder, cannot be written
    │   └── IndexTooNewError     the index was written by a newer Quire
    ├── ModelError           a model is missing, damaged or unusable
    │   └── DownloadError        a model could not be fetched
    └── GenerationError      the language model failed while answering

A message is one line: what is wrong, then what to do. Third-party exceptions are translated where the
third party is called; nothing above that boundary knows them.
"""

from __future__ import annotations


def one_line(error: BaseException) -> str:
    """What a third party's exception says, as one line of at most 200 printable characters."""
    text = "".join(char if char.isprintable() else " " for char in str(error) or type(error).__name__)
    return " ".join(text.split())[:200]


class QuireError(Exception):
    """The root of all errors that Quire raises on purpose."""


class ConfigError(QuireError):
    """A setting, flag or environment variable has a value that cannot be used."""


class OfflineError(QuireError, PermissionError):
    """Something would have used the network, and must not; libraries see a refused connection."""


class VaultError(QuireError):
    """The vault does not exist, is not a folder, or cannot be read."""


def vault_gone(vault: object) -> VaultError:
    """What to raise where a folder that was indexed is not there, or holds no notes any more."""
    return VaultError(
        f"{vault} is gone or holds no notes any more, but its index does: is the drive mounted? Nothing was "
        "deleted, and Quire goes on when they are back; run `quire index --rebuild` if there are none"
    )


class StoreError(QuireError):
    """The index cannot be opened, read or written."""


class DamagedIndexError(StoreError):
    """The index's database is not a database, or not whole."""


class IndexLockedError(StoreError):
    """Another process holds the write lock of this vault's index."""


class IndexReadOnlyError(StoreError):
    """The index, or the folder in which it lies, cannot be written; it may still be searched."""


class IndexTooNewError(StoreError):
    """The index was written by a newer version of Quire than this one."""


class ModelError(QuireError):
    """A model is not installed, does not match its checksum, or cannot be loaded."""


class DownloadError(ModelError):
    """A model could not be fetched from its hub."""


class GenerationError(QuireError):
    """The language model failed while it was writing an answer."""
