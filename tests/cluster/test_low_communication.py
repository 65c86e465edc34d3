"""Outer steps, few bits, and the race: what the workers do together equals what it says on paper."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from computegap.cluster import low_communication as low
from computegap.cluster import slow_link
from computegap.cluster.launch import WorkerFailed, launch
from computegap.cluster.replicas import Replicas, WarmStart, draw, together, warm_start, worker_generators
from computegap.cluster.slow_link_runs import Curve, Race, composed, race, reach, without_wire
from computegap.experiment import seeds

STEP, RATE = 0.004, 3e6


# --- the outer optimiser
# -------------------------------------------------------------------------------------


def test_outer_step_is_torchs_nesterov():
    start = torch.randn(50)
    ours = low.OuterOptimiser(start, 0.7, 0.9)
    theirs = torch.nn.Parameter(start.clone())
    sgd = torch.optim.SGD([theirs], lr=0.7, momentum=0.9, nesterov=True)
    for _ in range(4):
        gradient = torch.randn(50)
        theirs.grad = gradient.clone()
        sgd.step()
        torch.testing.assert_close(ours.step(gradient), theirs.detach())


def test_without_momentum_it_is_the_average():
    start, arrived = torch.randn(20), torch.randn(4, 20)
    outer = low.OuterOptimiser(start, 1.0, 0.0)
    torch.testing.assert_close(outer.step((start - arrived).mean(0)), arrived.mean(0))


def test_a_fragment_can_be_a_part_of_every_seeds_network():
    shared = low.OuterOptimiser(torch.zeros(3, 4), learning_rate=1.0, momentum=0.5)
    first = (slice(None), slice(0, 2))
    arrived = shared.step(torch.ones(3, 2), first)
    assert torch.equal(arrived, torch.full((3, 2), -1.5))
    assert torch.equal(shared.velocity[first], torch.ones(3, 2))
    assert not shared.weights[:, 2:].any()
    assert not shared.velocity[:, 2:].any()


def test_a_part_leaves_the_rest_alone():
    outer = low.OuterOptimiser(torch.zeros(10))
    outer.step(torch.ones(4), slice(3, 7))
    assert (outer.weights != 0).nonzero().flatten().tolist() == [3, 4, 5, 6]


@pytest.mark.parametrize(("rate", "momentum"), [(0, 0.9), (-1, 0), (0.7, 1.0), (0.7, -0.1)])
def test_outer_settings_are_checked(rate, momentum):
    with pytest.raises(ValueError, match=r"rate is positive|momentum lies"):
        low.OuterOptimiser(torch.zeros(3), rate, momentum)


@given(st.integers(1, 500), st.data())
def test_fragments_cover_a_vector_once(size, data):
    count = data.draw(st.integers(1, size))
    parts = low.fragments(size, count)
    assert [i for part in parts for i in range(size)[part]] == list(range(size))
    lengths = [part.stop - part.start for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_fragments_are_not_empty():
    with pytest.raises(ValueError, match="1 to 3 fragments"):
        low.fragments(3, 4)


# --- few bits
# ------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(1, 6), st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_rounding_errs_by_half_a_step(bits, blocks, seed, size):
    values = torch.randn(blocks * low.BLOCK, generator=torch.Generator().manual_seed(seed)) * size
    codes, scales = low.to_few_bits(values, bits)
    back = low.from_few_bits(codes, scales, bits)
    error = (back - values).abs().view(-1, low.BLOCK)
    # Half a step, and a little for the scale's own sixteen bits.
    largest = 2 ** (bits - 1) - 1
    assert (error <= scales.float()[:, None] * (0.5 + 0.002 * largest)).all()
    assert codes.numel() == values.numel() // (2 if bits <= 4 else 1)


def test_zeros_stay_zero():
    codes, scales = low.to_few_bits(torch.zeros(low.BLOCK))
    assert (low.from_few_bits(codes, scales) == 0).all()


@pytest.mark.parametrize(
    ("length", "bits", "said"), [(64, 1, "2 to 8"), (64, 9, "2 to 8"), (65, 4, "multiple")]
)
def test_rounding_refuses(length, bits, said):
    with pytest.raises(ValueError, match=said):
        low.to_few_bits(torch.zeros(length), bits)


# --- networks of several seeds
# -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def start() -> WarmStart:
    """Two seeds' networks, hardly trained."""
    return warm_start(n_seeds=2, steps=30)


def test_seeds_share_nothing(start):
    numbers = seeds(3)
    three = Replicas(numbers)
    three(draw(worker_generators(numbers, 0), 8)).sum().backward()
    for place, number in enumerate(numbers):
        one = Replicas([number])
        one(draw(worker_generators([number], 0), 8)).sum().backward()
        mine = torch.cat([p.grad.flatten() for p in one.parameters()])
        theirs = torch.cat([group[place].grad.flatten() for group in three._groups()])
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(
            one.flat, three.flat[place * three.per_seed : (place + 1) * three.per_seed]
        )


def test_parameters_are_views_of_the_vector():
    networks = Replicas(seeds(2))
    networks.load(torch.zeros_like(networks.flat))
    assert all((weight == 0).all() for weight in networks.parameters())
    for weight in networks.parameters():
        weight.data = torch.ones_like(weight)  # as torch's averager does
    networks.gather()
    assert (networks.flat == 1).all()
    networks.load(torch.zeros_like(networks.flat))
    assert all((weight == 0).all() for weight in networks.parameters())


def test_a_start_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"have .* weights, the start"):
        Replicas(seeds(2)).load(torch.zeros(7))
    with pytest.raises(ValueError, match="one seed"):
        Replicas([])


def test_a_warm_start_has_learnt_something(start):
    assert np.mean(start.losses) < np.mean(warm_start(n_seeds=2, steps=0).losses) - 1


# --- the race, with real workers
# -----------------------------------------------------------------------------

METHODS = {
    "alone": "alone",
    "no wire": "ddp:faster=0",
    "ddp": "ddp",
    "fp16": "fp16",
    "powersgd": "powersgd:arithmetic=0",
    "larger batch": "ddp:accumulate=4",
    "local": "local:interval=10",
    "average": "diloco:interval=10,momentum=0,outer_rate=1",
    "eight bits": "diloco:interval=10,momentum=0,outer_rate=1,bits=8",
    "four bits": "diloco:interval=10,momentum=0,outer_rate=1,bits=4",
    "streaming": "streaming:interval=20,parts=2,delay=5,bits=4",
    "from scratch": "alone:fresh=1",
}


@pytest.fixture(scope="module")
def small_race(start) -> Race:
    """Two workers, twelve methods, a fifth of a second each."""
    return race(METHODS, start, rate=RATE, seconds=0.2, step_time=STEP, workers=2, points=4)


def test_all_start_alike(small_race):
    untrained = warm_start(n_seeds=2, steps=0).losses
    for label, curve in small_race.curves.items():
        begin = untrained if label == "from scratch" else small_race.start.losses
        assert curve.losses[0] == pytest.approx(begin, abs=0.02)
        assert curve.steps[0] == curve.megabytes[0] == 0


def test_alone_sends_nothing_and_never_waits(small_race):
    curve = small_race["alone"]
    assert curve.megabytes[-1] == 0
    assert curve.steps[-1] == round(0.2 / STEP)


def test_the_time_on_the_wire_is_what_the_bytes_take(small_race):
    for label in ("ddp", "fp16", "local", "average", "eight bits", "four bits"):
        curve = small_race[label]
        least = curve.steps[-1] * STEP + curve.megabytes[-1] * 1e6 / RATE
        assert least <= 0.2 + 1e-6, f"{label} did more than fits into its time"


def test_data_parallel_sends_the_ring_alls_bytes(small_race, start):
    weights = 4 * len(start.flat) / 2
    expected = 2 * (1 - 1 / 2) * weights / 1e6
    assert small_race["ddp"].megabytes_per_step == pytest.approx(expected, rel=0.02)
    assert small_race["fp16"].megabytes_per_step == pytest.approx(expected / 2, rel=0.03)
    assert small_race["average"].megabytes_per_step == pytest.approx(expected / 10, rel=0.05)
    assert small_race["larger batch"].megabytes_per_step == pytest.approx(expected / 4, rel=0.05)
    # Two numbers a byte, and two bytes of scale for sixty-four of them.
    assert small_race["four bits"].megabytes_per_step == pytest.approx(
        expected / 10 * (4 + 16 / 64) / 32, rel=0.12
    )


def test_torchs_averager_equals_our_outer_step(small_race):
    # On a busy machine one of them may end an exchange earlier, so they are compared after equal steps.
    torchs, ours = small_race["local"], small_race["average"]
    equal = [(i, j) for i, a in enumerate(torchs.steps) for j, b in enumerate(ours.steps) if a == b > 0]
    assert equal
    for i, j in equal:
        np.testing.assert_allclose(torchs.losses[i], ours.losses[j], rtol=2e-3)


def test_few_bits_change_little(small_race):
    full = small_race["average"].losses[:, :]
    reached = small_race["average"].steps
    for label, allowed in (("eight bits", 0.02), ("four bits", 0.06)):
        curve = small_race[label]
        at = np.interp(reached[-1], curve.steps, curve.losses.mean(1))
        assert abs(at - full[-1].mean()) < allowed


def test_real_workers_learn_what_one_process_computes(small_race, start):
    # Torch's data parallel training of two workers, against one process with both workers' batches.
    steps = [int(step) for step in small_race["no wire"].steps]
    losses = together(start, steps, workers=2)
    np.testing.assert_allclose(losses, small_race["no wire"].losses, rtol=5e-3)


def test_each_seed_learns_as_if_it_were_alone(small_race, start):
    half = len(start.flat) // 2
    first = WarmStart(start.seed_numbers[:1], start.flat[:half], start.losses[:1], start.steps)
    methods = {name: METHODS[name] for name in ("no wire", "average")}
    lonely = race(methods, first, rate=RATE, seconds=0.2, step_time=STEP, workers=2, points=4)
    for name in methods:
        both = small_race[name]
        at = min(both.steps[-1], lonely[name].steps[-1])
        here = np.interp(at, both.steps, both.losses[:, 0])
        there = np.interp(at, lonely[name].steps, lonely[name].losses[:, 0])
        assert here == pytest.approx(there, rel=5e-3)


def test_powersgd_sends_little_and_learns(small_race):
    power, plain = small_race["powersgd"], small_race["ddp"]
    assert power.megabytes_per_step < plain.megabytes_per_step / 1.5
    assert power.steps[-1] > plain.steps[-1]
    assert power.losses[-1].mean() < power.losses[0].mean()


def test_what_messages_take_beyond_the_wire_is_kept(small_race):
    assert small_race["alone"].beyond == 0
    for label in ("ddp", "powersgd", "local", "four bits"):
        assert small_race[label].beyond >= 0
    # Compressing a gradient is work; sending it as it is is hardly any.
    assert small_race["powersgd"].beyond > small_race["ddp"].beyond


def test_streaming_hides_its_messages(small_race):
    assert small_race["streaming"].steps[-1] * STEP > 0.6 * 0.2
    assert np.isfinite(small_race["streaming"].losses).all()


def test_races_are_joined_only_if_they_compare(small_race, start):
    with pytest.raises(ValueError, match="differ in rate"):
        small_race.joined_with(Race({}, 1.0, 0.2, STEP, start, 0.0))
    other = WarmStart(start.seed_numbers, start.flat, start.losses, 0)
    with pytest.raises(ValueError, match="different starts"):
        small_race.joined_with(Race({}, RATE, 0.2, STEP, other, 0.0))
    with pytest.raises(LookupError, match="no method is called 'x'; there are alone"):
        small_race["x"]
    with pytest.raises(ValueError, match="one method"):
        race({}, start)


def test_a_worker_says_what_is_wrong(start):
    with pytest.raises(WorkerFailed, match="streaming needs an interval"):
        race({"x": "streaming:interval=10,parts=2,delay=9"}, start, workers=2, seconds=0.1)


def test_the_start_may_come_from_a_file(start, tmp_path):
    path = tmp_path / "start.pt"
    torch.save(start.flat, path)
    arguments = ["--method", "alone", "--seeds", 2, "--seconds", 0.05, "--weights", path, "--points", 2]
    done = launch("computegap.cluster.slow_link", *arguments, workers=2)
    (found,) = done.of("method")
    assert json.loads(json.dumps(found))["method"] == "alone"
    assert len(found["losses"]) == 3


# --- methods as text
# -----------------------------------------------------------------------------------------


def test_methods_are_read():
    method = slow_link.Method.parse("diloco:interval=25,bits=4,momentum=0.5")
    assert (method.kind, method.interval, method.bits, method.momentum) == ("diloco", 25, 4, 0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [("sgd", "no method 'sgd'"), ("diloco:h=3", "no option 'h'"), ("diloco:bits=four", "should be a number")],
)
def test_unknown_methods_are_refused(text, said):
    with pytest.raises(ValueError, match=said):
        slow_link.Method.parse(text)


# --- composition
# ---------------------------------------------------------------------------------------------


@pytest.fixture
def line() -> Curve:
    """A loss that falls by one hundredth a step, one megabyte a step."""
    steps = np.arange(0, 101, 10.0)
    losses = np.stack([3 - steps / 100, 4 - steps / 100], 1)
    return Curve("line", steps * 0.01, losses, steps, steps)


def test_composition_puts_steps_and_bytes_together(line):
    # A step of 10 ms and a megabyte at 100 MB/s are 20 ms: fifty steps in a second.
    assert composed(line, 1.0, rate=1e8, step_time=0.01) == pytest.approx([2.5, 3.5])


@given(st.floats(1e5, 1e10), st.floats(1.01, 100))
def test_a_faster_wire_never_composes_worse(rate, more):
    steps = np.arange(0, 101, 10.0)
    line = Curve("line", steps, (3 - steps / 100)[:, None], steps, steps)
    slow, fast = (composed(line, 0.5, rate=r, step_time=0.01)[0] for r in (rate, rate * more))
    assert fast <= slow + 1e-12 or np.isnan(fast)


def test_too_short_a_run_is_not_guessed(line):
    until = reach(line, rate=1e9, step_time=0.01)
    assert until == pytest.approx(100 * 0.01 + 100e6 / 1e9)
    assert np.isfinite(composed(line, until, rate=1e9, step_time=0.01)).all()
    assert np.isnan(composed(line, until * 1.01, rate=1e9, step_time=0.01)).all()
    with pytest.raises(ValueError, match="positive"):
        composed(line, 0.0, rate=1e9, step_time=0.01)


def test_without_a_wire_counts_bytes_all_the_same(start):
    curve = without_wire(start, seconds=0.04, step_time=STEP, workers=4, points=2)
    weights = 4 * len(start.flat) / 2
    assert curve.megabytes[-1] == pytest.approx(10 * 1.5 * weights / 1e6)
    with pytest.raises(ValueError, match="fewer than the points"):
        without_wire(start, seconds=STEP, step_time=STEP)
