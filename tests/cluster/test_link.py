"""A slowed-down connection: its rate, its count, and what happens where the system cannot do it."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

import pytest

from computegap.cluster import link


@pytest.fixture
def pair():
    """A connected pair of sockets whose first end is capped at 2 MB/s."""
    ends = link.connected_pair(2e6)
    yield ends
    for end in ends:
        end.close()


def send(pair, size: int) -> float:
    """Seconds until ``size`` bytes have arrived."""
    sender, receiver = pair
    begun = time.perf_counter()
    thread = threading.Thread(target=sender.sendall, args=(bytes(size),), daemon=True)
    thread.start()
    arrived = 0
    while arrived < size:
        arrived += len(receiver.recv(1 << 20))
    thread.join()
    return time.perf_counter() - begun


def test_this_machine_can_slow_a_connection_down():
    assert link.why_not() == ""
    link.require()


@pytest.mark.parametrize("rate", [1e6, 8e6])
def test_a_transfer_takes_its_nominal_time(rate):
    size = int(0.3 * rate)
    seconds = link.seconds_to_send(size, rate)
    # Faster by the one segment that leaves at once; slower where the machine is busy.
    assert (size - 80_000) / rate * 0.9 < seconds < 3 * size / rate


def test_without_a_cap_it_is_far_quicker():
    assert link.seconds_to_send(300_000, None) < link.seconds_to_send(300_000, 1e6) / 3


def test_bytes_are_counted_by_the_kernel(pair):
    before = link.bytes_sent()
    send(pair, 123_456)
    assert link.bytes_sent() - before == 123_456


def test_connections_can_be_left_out(pair):
    inherited = link.connections()
    others = link.connected_pair()
    try:
        assert set(link.connections(skip=inherited)) == set(link.connections()) - set(inherited)
        assert link.pace(1e6, skip=inherited) == 2
        before = link.bytes_sent(skip=inherited)
        send(pair, 50_000)
        assert link.bytes_sent(skip=inherited) == before
    finally:
        for end in others:
            end.close()


def test_connections_to_the_store_are_no_wires(pair, monkeypatch):
    port = pair[0].getpeername()[1]
    monkeypatch.setenv("MASTER_PORT", str(port))
    assert all(port not in (me[1], peer[1]) for me, peer in link.connections())


def test_a_small_message_is_not_free(pair):
    wires = link.Link(2e6, skip=[one for one in link.connections() if one[0] != pair[0].getsockname()])
    begun = time.perf_counter()
    with wires.paid():
        send(pair, 40_000)
    assert time.perf_counter() - begun >= 0.02 * 0.99
    assert wires.sent >= 40_000
    wires.close()
    assert wires.sent == 0


def test_what_waits_in_the_queue_is_counted(pair):
    # On a slow wire a worker may be done receiving while its own message still waits for its turn.
    sender, receiver = pair
    wires = link.Link(5e5, skip=[one for one in link.connections() if one[0] != sender.getsockname()])
    before = wires.sent
    sender.setblocking(False)
    accepted = sender.send(bytes(1_000_000))
    assert accepted > 100_000
    assert wires.sent - before == accepted
    wires.close()
    arrived = 0
    while arrived < accepted:
        arrived += len(receiver.recv(1 << 20))


def test_a_link_needs_connections(monkeypatch):
    monkeypatch.setattr(link, "_socket_descriptors", list)
    with pytest.raises(ValueError, match="start gloo first"):
        link.Link(1e6)


@pytest.mark.parametrize("rate", [0, -1.0])
def test_a_rate_is_positive(rate, pair):
    with pytest.raises(ValueError, match="positive"):
        link.pace(rate)
    with pytest.raises(ValueError, match="positive"):
        link.Link(rate)


def test_other_systems_are_refused_with_advice(pair, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    link.why_not.cache_clear()
    try:
        with pytest.raises(link.PacingUnavailable, match=r"needs Linux, and this is darwin.*Docker"):
            link.pace(1e6)
        assert "darwin" in link.why_not()
        with pytest.raises(link.PacingUnavailable):
            link.require()
    finally:
        link.why_not.cache_clear()


def test_a_cap_that_is_accepted_and_not_obeyed_is_noticed(monkeypatch):
    monkeypatch.setattr(link, "_set_rate", lambda connection, rate: None)
    link.why_not.cache_clear()
    try:
        assert "does not obey" in link.why_not()
    finally:
        link.why_not.cache_clear()


def test_a_refused_option_and_a_missing_count_are_said(pair, monkeypatch):
    class Refusing:
        def setsockopt(self, *_):
            raise OSError(92, "Protocol not available")

        def getsockopt(self, *_):
            return bytes(104)

    with pytest.raises(link.PacingUnavailable, match=r"refuses a cap.*Protocol not available"):
        link._set_rate(Refusing(), 1e6)
    with pytest.raises(link.PacingUnavailable, match=r"4\.19"):
        link._sent(Refusing())
    monkeypatch.delattr(socket, "TCP_INFO")
    with pytest.raises(link.PacingUnavailable, match="TCP_INFO"):
        link._sent(Refusing())


def test_looking_leaves_no_descriptor_open(pair):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        link.connections()
        link.bytes_sent()
        link.pace(None)
    assert len(os.listdir("/proc/self/fd")) == before
