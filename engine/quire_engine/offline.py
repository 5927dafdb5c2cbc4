"""Keeps a process of Quire's own off every network, and all that it starts; nothing lifts that again.

Indexing, searching and answering need no network; one command does, ``models pull``. So every process of
Quire's own is fenced off from its start: each other command, the background engine, the workers. With
``--offline`` (the setting ``offline``) ``models pull`` refuses, too, and the editor that the terminal
interface opens is fenced off as well.

Two fences stand one behind the other:

- An audit hook (PEP 578) sees what Python code does with sockets, and says in words what is not allowed.
- On Linux (x86-64, AArch64) a seccomp filter has the kernel make no sockets but unix ones for this process,
  its threads and its children, whatever they are written in. io_uring, which makes sockets in a way of its
  own, is refused, as are the system calls of other architectures. The filter takes no privileges.

The loopback device counts as network, because proxies listen there. What remains are unix sockets, and open
sockets that another process hands over: the fences hold libraries that call home, not code that sets out to
deceive.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

from quire_engine.errors import OfflineError

_UNIX = 1
"""``socket.AF_UNIX`` everywhere; the module would take longer to load than everything here."""
_TAKEN_OVER = -1
"""The family of a socket that was open before Python had it; what is done with it is looked at."""
_USES = frozenset(("socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"))
_LOOKUPS = frozenset(
    ("socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo")
)

_MACHINES = {"x86_64": (0xC000003E, 41, 317), "aarch64": (0xC00000B7, 198, 277)}
"""AUDIT_ARCH_… of <linux/audit.h>; the numbers of socket and seccomp in <asm/unistd.h>."""
_IO_URING_SETUP = 425
_X32 = 0x40000000
"""From here on x86-64 has the system calls of its 32-bit variant; AArch64 has none."""
_SET_NO_NEW_PRIVILEGES = 38
_SET_FILTER = 1
_FLAGS = 0b101
"""All threads; and without the slower execution that kernels before 5.16 add to a filter."""
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REFUSE, _UNKNOWN = 0x7FFF0000, 0x00050000 + 13, 0x00050000 + 38
"""Verdicts: go on, EACCES, ENOSYS."""

_hooked = _fenced = False


def enforce(*, children: bool = True) -> bool:
    """Take the network from this process; returns whether the kernel sees to it, too.

    Without ``children`` the audit hook stands alone, and programs that this process starts keep the network.
    For processes of Quire's own: one that uses the engine as a library decides for itself.
    """
    global _hooked, _fenced
    if not _hooked:
        _hooked = True
        sys.addaudithook(refuse)
        # Hidden, OpenVINO uses a stub; else it would report its use, on import and from another process.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    if children and not _fenced:
        os.environ["HF_HUB_OFFLINE"] = "1"  # fails at once instead of trying again
        _fenced = _fence()
    return _fenced


def is_enforced() -> bool:
    """Whether this process keeps at least its Python code off the network."""
    return _hooked


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: raises `OfflineError` for whatever leads to a network."""
    if not event.startswith("socket."):
        return
    if event == "socket.__new__":
        if arguments[1] not in (_UNIX, _TAKEN_OVER):
            raise _refused("a network socket")
    elif event in _USES:
        if arguments[0].family != _UNIX:
            raise _refused("a network connection")
    elif event in _LOOKUPS:
        raise _refused("looking up a host's name or address")


def _refused(what: str) -> OfflineError:
    return OfflineError(f"offline: {what} is not allowed; only 'quire models pull' uses the network")


def _fence() -> bool:
    """Install the filter; False where there is no such thing, or the system does not let us."""
    known = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if known is None or sys.maxsize < 2**32:
        return False
    try:
        # What ctypes is made of: that alone takes a millisecond and a half to load.
        from _ctypes import FUNCFLAG_CDECL, CFuncPtr, _SimpleCData, addressof, dlopen, dlsym
    except ImportError:
        return False

    class Word(_SimpleCData):  # type: ignore[type-arg]
        _type_ = "l"

    class Function(CFuncPtr):
        _flags_ = FUNCFLAG_CDECL
        _restype_ = Word

    def call(name: str, *arguments: int) -> int:
        library = dlopen(None, 0)  # type: ignore[arg-type]
        return int(Function(dlsym(library, name))(*map(Word, arguments)))

    architecture, socket, seccomp = known
    # struct sock_filter fits a word, struct sock_fprog two; both machines put the lowest byte first.
    filtering = list(_filter(architecture, socket))
    steps = (Word * len(filtering))(*(a | b << 16 | c << 24 | k << 32 for a, b, c, k in filtering))
    program = (Word * 2)(len(filtering), addressof(steps))
    if call("prctl", _SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return call("syscall", seccomp, _SET_FILTER, _FLAGS, addressof(program)) == 0


def _filter(architecture: int, socket: int) -> Iterator[tuple[int, int, int, int]]:
    """Classic BPF over ``struct seccomp_data`` (number at 0, architecture at 4, first argument at 16).

    An instruction: its code, how many to skip when it holds and when not, its operand.
    """
    yield _LOAD, 0, 0, 4
    yield _EQUAL, 1, 0, architecture
    yield _RETURN, 0, 0, _UNKNOWN
    yield _LOAD, 0, 0, 0
    yield _AT_LEAST, 1, 0, _X32
    yield _EQUAL, 0, 1, _IO_URING_SETUP
    yield _RETURN, 0, 0, _UNKNOWN
    yield _EQUAL, 1, 0, socket
    yield _RETURN, 0, 0, _ALLOW
    yield _LOAD, 0, 0, 16
    yield _EQUAL, 1, 0, _UNIX
    yield _RETURN, 0, 0, _REFUSE
    yield _RETURN, 0, 0, _ALLOW
