"""A slow wire between processes of one machine, without any privilege.

Linux lets every user cap the rate at which the kernel sends on one of their own TCP sockets: the socket
option ``SO_MAX_PACING_RATE`` (socket(7); Linux 3.13 and later). Gloo's connections between workers are such
sockets and belong to the worker's process, so a worker can find them among its open files and cap them. The
traffic is real, and so are waiting, overlap and the kernel's own count of bytes (``TCP_INFO``).

What is *not* emulated: the latency of a long wire, lost packets, and several flows that share one wire (each
connection has a cap of its own).

Three properties of the kernel's pacing matter here. The first ten segments of a connection are never paced,
so send a few tiny messages first (:func:`connected_pair` does). After a pause the first segment, on the
loopback device up to 64 KiB, leaves at once, and the wire is "paid" afterwards; :meth:`Link.paid` waits for
what is left to pay, so that small messages are not free. And a cap that the kernel accepts need not be one
that it obeys (some sandboxes, such as gVisor, have a network stack of their own), so :func:`why_not` tries
it.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache

#: The option's number in Linux (asm-generic/socket.h); Python's socket module has no name for it.
SO_MAX_PACING_RATE = 47
_UNLIMITED = 2**64 - 1
# Places of tcpi_notsent_bytes (32 bits) and tcpi_bytes_sent (64 bits) in struct tcp_info (linux/tcp.h); the
# second is there since Linux 4.19.
_NOT_SENT_AT, _BYTES_SENT_AT = 144, 200


class PacingUnavailable(RuntimeError):
    """This system cannot slow a TCP connection down for an ordinary user; the message says why."""


def pace(rate_bytes_per_s: float | None, *, skip: Iterable[tuple] = ()) -> int:
    """Cap the rate of every TCP connection of this process, except those to the rendezvous store.

    Call it in a worker after ``init_process_group``. Each connection, and so each direction of a link between
    two workers, gets the cap for itself.

    Parameters
    ----------
    rate_bytes_per_s : float or None
        Bytes per second; None takes the cap away.
    skip : iterable of tuple
        Connections to leave alone, as :func:`connections` returned them before the process group was there
        (a forked worker inherits some from its parent).

    Returns
    -------
    int
        How many connections were capped.

    Raises
    ------
    ValueError
        If the rate is not positive.
    PacingUnavailable
        If the system refuses the option.
    """
    if rate_bytes_per_s is not None and not rate_bytes_per_s > 0:
        raise ValueError(f"a rate is positive, in bytes per second, or None; got {rate_bytes_per_s!r}")
    count = 0
    with _open_connections(skip) as opened:
        for connection in opened:
            _set_rate(connection, rate_bytes_per_s)
            count += 1
    return count


def bytes_sent(*, skip: Iterable[tuple] = ()) -> int:
    """Bytes that this process has sent over its TCP connections so far, by the kernel's count.

    Payload with retransmissions and with what still waits for its turn, without headers; connections to the
    rendezvous store are left out.

    Raises
    ------
    PacingUnavailable
        If the system does not count.
    """
    with _open_connections(skip) as opened:
        return sum(_sent(connection) for connection in opened)


def connections(skip: Iterable[tuple] = ()) -> list[tuple]:
    """This process's TCP connections as (own address, peer's address), the store's left out."""
    with _open_connections(skip) as opened:
        return [(one.getsockname(), one.getpeername()) for one in opened]


class Link:
    """The wires of one worker, capped and counted.

    Parameters
    ----------
    rate : float or None
        Bytes per second and connection; None leaves the wires as fast as they are.
    skip : iterable of tuple
        Connections that are no wires, see :func:`pace`.

    Raises
    ------
    ValueError
        If the rate is not positive, or there is no connection to cap.
    PacingUnavailable
        As for :func:`pace`.
    """

    def __init__(self, rate: float | None, *, skip: Iterable[tuple] = ()) -> None:
        with _open_connections(skip, keep=True) as opened:
            self._wires = opened
        if not self._wires:
            raise ValueError("this process has no TCP connection to another worker; start gloo first")
        self.set_rate(rate)

    def set_rate(self, rate: float | None) -> None:
        """Change the cap of all wires."""
        if rate is not None and not rate > 0:
            raise ValueError(f"a rate is positive, in bytes per second, or None; got {rate!r}")
        self.rate = rate
        for wire in self._wires:
            _set_rate(wire, rate)

    @property
    def sent(self) -> int:
        """Bytes sent so far over all wires, by the kernel's count."""
        return sum(_sent(wire) for wire in self._wires)

    @contextmanager
    def paid(self) -> Iterator[None]:
        """Let the block last at least as long as what it sends takes on the busiest wire.

        The kernel sends the first segment after a pause at once. This waits until the wire would really have
        been free; where the kernel paced everything, it adds nothing.
        """
        begun, before = self.start()
        yield
        self.settle(begun, before)

    def start(self) -> tuple[float, list[int]]:
        """Now, and the count of each wire: what :meth:`settle` needs for a transfer that begins now."""
        return time.perf_counter(), [_sent(wire) for wire in self._wires]

    def settle(self, begun: float, before: list[int]) -> float:
        """Wait until what was sent since ``start`` has had its time on the busiest wire; returns the time."""
        if self.rate is None:
            return 0.0
        busiest = max(_sent(wire) - count for wire, count in zip(self._wires, before, strict=True))
        needed = busiest / self.rate
        left = begun + needed - time.perf_counter()
        if left > 0:
            time.sleep(left)
        return needed

    def close(self) -> None:
        """Lift the cap and let the wires go."""
        for wire in self._wires:
            with suppress(OSError, PacingUnavailable):  # The peer may have closed it already.
                _set_rate(wire, None)
            wire.close()
        self._wires = []


def connected_pair(rate: float | None = None) -> tuple[socket.socket, socket.socket]:
    """Two ends of a new loopback connection; the first one's sending is capped, its start already over."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender = socket.create_connection(listener.getsockname())
        receiver, _ = listener.accept()
    sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if rate is not None:
        _set_rate(sender, rate)
    for _ in range(16):  # The kernel paces from the eleventh segment on.
        sender.sendall(b"x")
        receiver.recv(1)
    return sender, receiver


def seconds_to_send(size: int, rate: float | None) -> float:
    """Seconds until ``size`` bytes have arrived over a new loopback connection with this cap."""
    sender, receiver = connected_pair(rate)
    with sender, receiver:
        begun = time.perf_counter()
        thread = threading.Thread(target=sender.sendall, args=(bytes(size),), daemon=True)
        thread.start()
        arrived = 0
        while arrived < size:
            arrived += len(receiver.recv(1 << 20))
        seconds = time.perf_counter() - begun
        thread.join()
    return seconds


@lru_cache(maxsize=1)
def why_not() -> str:
    """Empty where links can be slowed down; else a sentence that says why not.

    Tries it once: a transfer that should take a tenth of a second must take at least half of that.
    """
    try:
        with _socket_pair_closed(connected_pair(4e6)) as (sender, _):
            _sent(sender)
        seconds = seconds_to_send(400_000, 4e6)
    except PacingUnavailable as problem:
        return str(problem)
    if seconds < 0.05:
        return (
            "This system accepts a cap on the rate of a connection and does not obey it (a sandbox with a "
            "network stack of its own, perhaps). A real Linux kernel does."
        )
    return ""


def require() -> None:
    """Raise :class:`PacingUnavailable` with the reason unless links can be slowed down here."""
    reason = why_not()
    if reason:
        raise PacingUnavailable(reason)


@contextmanager
def _socket_pair_closed(pair: tuple[socket.socket, socket.socket]) -> Iterator[tuple]:
    try:
        yield pair
    finally:
        for end in pair:
            end.close()


def _set_rate(connection: socket.socket, rate: float | None) -> None:
    if not sys.platform.startswith("linux"):
        raise PacingUnavailable(
            f"Slowing a link down needs Linux, and this is {sys.platform}. On macOS or Windows, run the book "
            "in Docker, on Binder or on Colab."
        )
    value = _UNLIMITED if rate is None else max(1, int(rate))
    try:
        connection.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, struct.pack("Q", value))
    except OSError as problem:
        raise PacingUnavailable(
            f"This system refuses a cap on the rate of a connection: {problem}."
        ) from problem


def _sent(connection: socket.socket) -> int:
    option = getattr(socket, "TCP_INFO", None)
    if option is None:
        raise PacingUnavailable("This system does not count the bytes of a connection (TCP_INFO is missing).")
    info = connection.getsockopt(socket.IPPROTO_TCP, option, 256)
    if len(info) < _BYTES_SENT_AT + 8:
        raise PacingUnavailable(
            "This kernel does not count the bytes that a connection sent; Linux 4.19 and later do."
        )
    # What waits in the socket's own queue is on its way as well.
    return struct.unpack_from("Q", info, _BYTES_SENT_AT)[0] + struct.unpack_from("I", info, _NOT_SENT_AT)[0]


@contextmanager
def _open_connections(skip: Iterable[tuple], keep: bool = False) -> Iterator[list[socket.socket]]:
    """Own descriptors of this process's connected TCP sockets, closed at the end unless kept."""
    left_out = set(skip)
    store = os.environ.get("MASTER_PORT", "")
    found: list[socket.socket] = []
    for descriptor in _socket_descriptors():
        try:
            one = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue  # Closed since it was listed.
        try:
            wanted = (
                one.family in (socket.AF_INET, socket.AF_INET6)
                and one.type == socket.SOCK_STREAM
                and (one.getsockname(), one.getpeername()) not in left_out
                and store not in (str(one.getsockname()[1]), str(one.getpeername()[1]))
            )
        except OSError:
            wanted = False  # Listening, or closed by the peer.
        if wanted:
            found.append(one)
        else:
            one.close()
    try:
        yield found
    finally:
        if not keep:
            for one in found:
                one.close()


def _socket_descriptors() -> list[int]:
    folder = "/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"
    found = []
    for name in os.listdir(folder):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.append(int(name))
        except (OSError, ValueError):
            continue  # The listing's own descriptor.
    return sorted(found)
