"""The two fences, in processes of their own: neither can be lifted again."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quire_engine.errors import OfflineError

FENCED = "import os, sys; from quire_engine import offline; fenced = offline.enforce()\n"
NATIVE = (
    "import ctypes, errno\n"
    "libc = ctypes.CDLL(None, use_errno=True)\n"
    "def native(*arguments):\n"
    "    got = libc.socket(*arguments)\n"
    "    return got if got < 0 else 'open', errno.errorcode.get(ctypes.get_errno())\n"
)
INET, INET6, NETLINK, PACKET, VSOCK, ALG = 2, 10, 16, 17, 40, 38
MACHINE = os.uname().machine

on_linux = pytest.mark.skipif(
    sys.platform != "linux" or MACHINE not in ("x86_64", "aarch64"), reason="the kernel fence is Linux's"
)


def run(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


class TestPython:
    @pytest.mark.parametrize(
        "use",
        [
            "socket.socket()",
            "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
            "socket.create_connection(('127.0.0.1', 9))",
            "socket.create_connection(('example.org', 80))",
            "socket.getaddrinfo('localhost', 80)",
            "socket.gethostbyname('example.org')",
            "socket.gethostbyaddr('127.0.0.1')",
            "urllib.request.urlopen('http://127.0.0.1:9/')",
            "httpx2.get('http://127.0.0.1:9/')",
        ],
    )
    def test_whatever_leads_to_a_network_is_refused_in_words(self, use: str) -> None:
        code = (
            "import httpx2, socket, urllib.request\n"
            f"{FENCED}"
            f"try: {use}\n"
            "except Exception as error:\n"
            "    while error.__context__: error = error.__context__\n"
            "    print(type(error).__name__, error)\n"
        )
        assert run(code).startswith("OfflineError offline: ")

    def test_sockets_that_were_open_before_lead_nowhere(self) -> None:
        code = (
            "import socket\n"
            "open_before = [socket.socket(), socket.socket(type=socket.SOCK_DGRAM)]\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            f"{FENCED}"
            "for use in (\n"
            "    lambda: open_before[0].connect(server.getsockname()),\n"
            "    lambda: open_before[0].connect_ex(server.getsockname()),\n"
            "    lambda: open_before[1].sendto(b'x', server.getsockname()),\n"
            "    lambda: open_before[1].sendmsg([b'x'], [], 0, server.getsockname()),\n"
            "    lambda: open_before[1].bind(('127.0.0.1', 0)),\n"
            "    lambda: socket.socket(fileno=open_before[0].detach()).connect(server.getsockname()),\n"
            "):\n"
            "    try: use()\n"
            "    except PermissionError as error: print(type(error).__name__)\n"
        )
        assert run(code).split() == ["OfflineError"] * 6

    def test_unix_sockets_and_event_loops_work(self, tmp_path: Path) -> None:
        code = (
            f"{FENCED}"
            "import asyncio, socket\n"
            f"os.chdir({str(tmp_path)!r})\n"
            "server = socket.socket(socket.AF_UNIX); server.bind('s'); server.listen()\n"
            "client = socket.socket(socket.AF_UNIX); client.connect('s')\n"
            "client.sendall(b'hello'); print(server.accept()[0].recv(9))\n"
            "async def loop(): return 'looped'\n"
            "print(asyncio.run(loop()), socket.gethostname() != '')\n"
        )
        assert run(code).split() == ["b'hello'", "looped", "True"]

    def test_children_keep_the_network_where_that_is_wished(self) -> None:
        code = (
            "import subprocess, sys; from quire_engine import offline\n"
            "print(offline.enforce(children=False))\n"
            "subprocess.run([sys.executable, '-c', 'import socket; socket.socket(); print(1)'], check=True)\n"
            "import socket\n"
            "try: socket.socket()\n"
            "except offline.OfflineError: print('refused')\n"
        )
        assert run(code).split() == ["False", "1", "refused"]

    def test_the_hub_is_not_even_tried(self) -> None:
        code = (
            f"{FENCED}"
            "from huggingface_hub import HfApi, errors\n"
            "try: HfApi().model_info('maker/model')\n"
            "except errors.OfflineModeIsEnabled: print('refused')\n"
        )
        assert run(code) == "refused"

    def test_openvino_does_not_report_its_use(self) -> None:
        code = f"{FENCED}import openvino; print(sys.modules['openvino_telemetry'])"
        assert run(code) == "None"


@on_linux
class TestKernel:
    @pytest.mark.parametrize("family", [INET, INET6, NETLINK, PACKET, VSOCK, ALG])
    def test_native_code_gets_no_socket_but_a_unix_one(self, family: int) -> None:
        code = f"{NATIVE}{FENCED}print(fenced, *native({family}, 3, 0), native(1, 1, 0)[0])"
        assert run(code).split() == ["True", "-1", "EACCES", "open"]

    def test_native_code_had_one_before(self) -> None:
        """What the tests here rely on."""
        assert run(f"{NATIVE}print(native({INET}, 1, 0)[0])") == "open"

    def test_children_get_none_either(self) -> None:
        child = f"import ctypes; print(ctypes.CDLL(None).socket({INET}, 1, 0))"
        code = f"{FENCED}import subprocess\nsubprocess.run([sys.executable, '-c', {child!r}], check=True)"
        assert run(code) == "-1"

    def test_threads_that_ran_before_get_none_either(self) -> None:
        code = (
            f"{NATIVE}"
            "import threading\n"
            "fenced_off = threading.Event()\n"
            f"def late(): fenced_off.wait(); print(*native({INET}, 1, 0))\n"
            "thread = threading.Thread(target=late); thread.start()\n"
            f"{FENCED}"
            "fenced_off.set(); thread.join()\n"
        )
        assert run(code).split() == ["-1", "EACCES"]

    def test_io_uring_is_no_way_around_it(self) -> None:
        code = f"{NATIVE}{FENCED}print(libc.syscall(425, 8, None), errno.errorcode[ctypes.get_errno()])"
        assert run(code).split() == ["-1", "ENOSYS"]

    @pytest.mark.skipif(MACHINE != "x86_64", reason="of x86-64 alone")
    def test_nor_are_the_system_calls_of_its_second_set(self) -> None:
        code = (
            f"{NATIVE}{FENCED}"
            f"print(libc.syscall(0x40000000 + 41, {INET}, 1, 0), errno.errorcode[ctypes.get_errno()])\n"
        )
        assert run(code).split() == ["-1", "ENOSYS"]

    @pytest.mark.skipif(MACHINE != "x86_64", reason="of x86-64 alone")
    def test_nor_are_those_of_32_bits(self) -> None:
        """They are entered by an instruction of their own, which no function of the C library holds."""
        code = (
            f"{NATIVE}"
            "import mmap\n"
            # push rbx; mov eax, 359 (socket); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; pop rbx; ret
            "instructions = bytes.fromhex('53b867010000bb02000000b90100000031d2cd805bc3')\n"
            "page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)\n"
            "page.write(instructions)\n"
            "place = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
            "opened = ctypes.CFUNCTYPE(ctypes.c_int)(place)\n"
        )
        if subprocess.run([sys.executable, "-c", f"{code}assert opened() > 0"], check=False).returncode:
            pytest.skip("this kernel has none")
        assert run(f"{code}{FENCED}print(opened())") == "-38"  # ENOSYS

    def test_workers_are_fenced_off(self) -> None:
        code = (
            f"{NATIVE}"
            "import sys; from quire_engine.indexing import worker\n"
            "worker.main()\n"  # returns at the end of stdin
            f"print(*native({INET}, 1, 0), file=sys.stderr)\n"
        )
        finished = subprocess.run(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
        assert finished.stderr.split() == ["-1", "EACCES"]

    def test_it_takes_no_privileges(self) -> None:
        code = (
            f"{NATIVE}from quire_engine import offline; import _ctypes, array, struct\n"
            "import os\n"
            "if os.getuid() == 0: os.setgid(65534), os.setuid(65534)\n"
            f"print(offline.enforce(), native({INET}, 1, 0)[1])\n"
        )
        assert run(code).split() == ["True", "EACCES"]


class TestGuard:
    """What keeps this very process, the one of the tests, off the network."""

    def test_a_test_reaches_nothing(self) -> None:
        for use in (
            lambda: socket.create_connection(("127.0.0.1", 9)),
            lambda: socket.getaddrinfo("localhost", 80),
            lambda: socket.socket(socket.AF_INET6),
        ):
            with pytest.raises(OfflineError, match="not allowed"):
                use()

    @pytest.mark.loopback
    def test_one_that_is_marked_reaches_this_machine_alone(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(("localhost", server.getsockname()[1])).close()
        for address in (("192.0.2.1", 80), ("example.org", 80)):
            with pytest.raises(OfflineError, match="not allowed"):
                socket.create_connection(address)
        with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(OfflineError):
            datagrams.sendto(b"x", ("192.0.2.1", 80))
