"""Step times: published cross-checks, limits that must hold, and refusals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap import facts
from computegap.chips import draw_workloads, workloads
from computegap.chips.workloads import DENSE_70B, Machine

positive = st.floats(1e9, 1e15)
machines = st.builds(
    lambda a, b, l: Machine("any", a, 2 * a, b, l),
    st.floats(1e13, 3e15),
    st.floats(2e11, 1e13),
    st.floats(1e10, 1e12),
)


def test_small_batch_decode_ratio_is_the_bandwidth_ratio():
    # Institute for Progress and SemiAnalysis put the H20 about 20 % ahead of the H100 in inference.
    ratio = workloads.decode_time("H100") / workloads.decode_time("H20")
    assert ratio == pytest.approx(float(facts.chip("H20").mem_bw_gbs) / float(facts.chip("H100").mem_bw_gbs))
    assert 1.15 < ratio < 1.25


def test_crossover_is_the_closed_form():
    # Weights-only roofline (Pope et al. 2022): B = bytes x peak(slow) / (2 x bandwidth(fast)), about 44.
    h20, h100 = workloads.machine("H20"), workloads.machine("H100")
    closed = h20.peak8 / (2 * h100.bandwidth)
    assert workloads.crossover_batch("H20", "H100") == pytest.approx(closed, rel=1e-6)
    assert 43 < closed < 46


def test_training_slowdown_of_the_h20_is_the_ratio_of_rates():
    slow = workloads.training_time("H20", tokens=65536) / workloads.training_time("H100", tokens=65536)
    assert slow == pytest.approx(float(facts.chip("H100").bf16) / float(facts.chip("H20").bf16))


def test_training_takes_six_operations_per_weight_and_token():
    # Kaplan et al. 2020: 6 N D, here for one chip's share with the exchange hidden
    tokens = 65536
    want = 6 * 70e9 * tokens / (float(facts.chip("H100").bf16) * 1e12)
    assert workloads.training_time("H100", tokens=tokens) == pytest.approx(want)


def test_bars_show_speed_and_not_time():
    speeds = draw_workloads.relative_speeds("decode", 1)
    assert speeds["H100"] == 1
    assert speeds["H20"] > 1 > speeds["A100"]
    assert draw_workloads.relative_speeds("prefill", 4096)["H20"] < 0.2


def test_h800_differs_from_h100_only_where_the_link_counts():
    assert workloads.decode_time("H800") == workloads.decode_time("H100")
    big, small = 65536, 1024
    assert workloads.training_time("H800", tokens=big) == workloads.training_time("H100", tokens=big)
    assert workloads.training_time("H800", tokens=small) > 1.5 * workloads.training_time("H100", tokens=small)
    tensor = [workloads.training_time(c, tokens=big, parallel="tensor") for c in ("H800", "H100")]
    assert 1.2 < tensor[0] / tensor[1] < 1.6


def test_long_context_removes_the_crossover():
    limit = workloads.context_without_crossover("H20", "H100")
    assert np.isinf(workloads.crossover_batch("H20", "H100", context=limit * 1.01))
    assert np.isfinite(workloads.crossover_batch("H20", "H100", context=limit * 0.9))


@given(m=machines, batch=st.floats(1, 4096), context=st.floats(0, 1e5))
def test_decode_is_bound_by_both_roofs(m, batch, context):
    seconds = workloads.decode_time(m, batch=batch, context=context)
    work = 2 * DENSE_70B.weights * batch
    moved = DENSE_70B.weight_bytes(8) + batch * context * DENSE_70B.kv_bytes_per_token(8)
    assert seconds == pytest.approx(max(work / m.peak8, moved / m.bandwidth), rel=1e-9)


@given(m=machines, batch=st.floats(1, 2048), more=st.floats(1, 4))
def test_step_grows_with_batch_but_a_token_never_gets_dearer(m, batch, more):
    small, large = workloads.decode_time(m, batch=np.array([batch, batch * more]))
    assert large >= small * (1 - 1e-12)
    assert large / (batch * more) <= small / batch * (1 + 1e-12)


@given(m=machines, tokens=st.floats(16, 1e6))
def test_overlap_never_hurts(m, tokens):
    for parallel in ("data", "tensor"):
        hidden = workloads.training_time(m, tokens=tokens, parallel=parallel, overlap=True)
        shown = workloads.training_time(m, tokens=tokens, parallel=parallel, overlap=False)
        assert hidden <= shown <= 2 * hidden * (1 + 1e-12)


def test_a_single_chip_exchanges_nothing():
    assert workloads.exchange_time("H20", tokens=4096, group=1) == 0


def test_memory_sets_the_largest_batch():
    assert workloads.largest_batch("H20") > workloads.largest_batch("H100") > 0
    assert workloads.largest_batch("910B") == 0  # the weights alone fill more than its memory


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: workloads.step_time("H20", "sleeping"), LookupError, "no workload"),
        (lambda: workloads.decode_time("H20", batch=0), ValueError, "positive"),
        (lambda: workloads.machine("H20").peak(4), ValueError, "8 and 16"),
        (lambda: workloads.exchange_time("H20", parallel="magic"), ValueError, "'data' or 'tensor'"),
        (lambda: workloads.exchange_time("L20"), ValueError, "no link"),
        (lambda: workloads.machine("MI308X"), ValueError, "no known rate"),
    ],
)
def test_bad_input_is_refused(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_every_workload_can_be_drawn_and_described():
    for workload in workloads.WORKLOADS:
        batch = 16 if workload.startswith("decode") else 4096
        assert draw_workloads.step_bars(workload, batch).axes
        assert "H20" in draw_workloads.describe_step_bars(workload, batch)
    assert "44" in draw_workloads.describe_decode_curves()
    assert "any batch size" in draw_workloads.describe_decode_curves(context=16384)
