"""Each formula gives the number that its paper prints."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from computegap.cluster import physics, published_runs

GIB = 2**30
DAY = 86_400
GPT3 = {"layers": 96, "hidden": 12288, "vocab": 51200, "seq_len": 2048}
TRILLION = {"layers": 128, "hidden": 25600, "vocab": 51200, "seq_len": 2048}


def collectives():
    with (published_runs.DATA / "collectives.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("shape", "billions"), [(GPT3, 174.6), (TRILLION, 1008.0)])
def test_parameters_of_table_1_of_sc21(shape, billions):
    assert physics.parameters(**shape) / 1e9 == pytest.approx(billions, abs=0.05)


@pytest.mark.parametrize(
    ("shape", "tokens", "chips", "rate", "days"),
    [(GPT3, 300e9, 1024, 140e12, 34), (TRILLION, 450e9, 3072, 163e12, 84)],
)
def test_training_days_of_section_5_1_of_sc21(shape, tokens, chips, rate, days):
    seconds = physics.training_seconds(physics.parameters(**shape), tokens, chips, rate)
    assert seconds / DAY == pytest.approx(days, abs=0.6)


def test_megatron_turing_reported_126_teraflops_with_full_recomputation():
    flops = physics.hardware_flops(1920, 2048, 105, 20480, 50272)
    assert flops / (2240 * 60.1) / 1e12 == pytest.approx(126, rel=0.005)


@pytest.mark.parametrize(
    ("batch", "layers", "hidden", "chips", "seconds", "model", "hardware"),
    [(4, 48, 6144, 8, 1.10, 41.5, 43.7), (512, 128, 25600, 512, 71.49, 56.3, 57.0)],
)
def test_utilisation_of_table_5_of_korthikanti(batch, layers, hidden, chips, seconds, model, hardware):
    peak = chips * seconds * 312e12 / 100
    shape = (batch, 2048, layers, hidden, 51200)
    assert physics.model_flops(*shape) / peak == pytest.approx(model, abs=0.2)
    assert physics.selective_flops(*shape) / peak == pytest.approx(hardware, abs=0.2)


@pytest.mark.parametrize(("heads", "hidden", "saved"), [(96, 12288, 0.70), (128, 20480, 0.65)])
def test_selective_recomputation_saves_what_section_5_says(heads, hidden, saved):
    shape = (2048, 1, hidden, heads, 8)
    kept = physics.activation_bytes(*shape, "selective") / physics.activation_bytes(*shape, "sequence")
    assert 1 - kept == pytest.approx(saved, abs=0.006)


def test_tensor_parallelism_with_one_chip_changes_nothing():
    shape = (2048, 4, 6144, 64, 1)
    assert len({float(physics.activation_bytes(*shape, s)) for s in ("none", "tensor", "sequence")}) == 1
    with pytest.raises(ValueError, match="selective"):
        physics.activation_bytes(*shape, "some")


@pytest.mark.parametrize(
    ("sharding", "gigabytes"), [("none", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.9)]
)
def test_state_of_figure_1_of_zero(sharding, gigabytes):
    assert float(physics.state_bytes(7.5e9, 64, sharding)) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_cached_bytes_of_table_1_of_insights():
    assert physics.kv_cache_bytes(80, 8, 128) == 327_680
    assert physics.kv_cache_bytes(126, 8, 128) == 516_096
    assert physics.latent_cache_bytes(61, 512, 64) == 70_272


@pytest.mark.parametrize(("bandwidth", "microseconds"), [(50e9, 120.96), (900e9, 6.72)])
def test_expert_exchange_of_section_2_3_2_of_insights(bandwidth, microseconds):
    seconds = physics.expert_exchange_seconds(32, 9, 7000, bandwidth)
    assert seconds * 1e6 == pytest.approx(microseconds, rel=1e-9)
    layers_twice = 2 * 61 * seconds
    assert 1 / layers_twice == pytest.approx(67 if bandwidth < 1e11 else 1200, rel=0.02)


def exchange(size, choices, members, per_node, inside, between, limit=0, grouped=True):
    local = np.minimum(per_node, members)
    copies = physics.expert_copies(choices, members, local, limit, grouped)
    return physics.hierarchical_all_to_all_seconds(size, *copies, inside, between), copies


def test_a_chip_sends_its_own_tokens_through_its_own_card():
    """The example of 50 GB/s in section 2.3.2 of Insights, on so many nodes that all but nothing leaves."""
    seconds, _ = exchange(3 * 32 * 7000, 9, 1e6, 1, 900e9, 50e9, grouped=False)
    assert float(seconds) * 1e6 == pytest.approx(120.96, rel=1e-5)
    # Eight chips in a node don't lend each other their cards.
    seconds, _ = exchange(3 * 32 * 7000, 9, 8e6, 8, 900e9, 50e9, grouped=False)
    assert float(seconds) * 1e6 == pytest.approx(120.96, rel=1e-5)


def test_nvlink_carries_3_2_copies_in_the_time_of_one_over_the_network():
    """DeepSeek-V3, section 3.2.2: 160 and 50 GB/s, so 3.2 experts a node come without extra time."""
    assert physics.hierarchical_all_to_all_seconds(1.0, 4, 4 * 3.2, 160e9, 50e9) == pytest.approx(4 / 50e9)
    more = physics.hierarchical_all_to_all_seconds(1.0, 4, 4 * 3.3, 160e9, 50e9)
    assert more > 4 / 50e9


@pytest.mark.parametrize("members", [16, 32, 64])
@pytest.mark.parametrize("way", ["dispatch", "combine"])
def test_rates_that_deepep_measured_across_nodes(members, way):
    """DeepEP's tables, H800: it counts a copy for every node of a token, its own included.

    Inside a node the rate is the one measured on 8 chips, which counts the copies that stay on a chip too;
    the network is taken at nine tenths of a card of 400 Gb/s.
    """
    rates = {row["key"]: float(row["value"]) for row in collectives() if "deepep" in row["key"]}
    local = rates[f"deepep-ep8-{way}"] * 7 / 8
    seconds, _ = exchange(1.0, 8, members, 8, local, 0.9 * 50, limit=4)
    logical = physics.distinct_places(8, min(members / 8, 4)) / float(seconds)
    assert logical == pytest.approx(rates[f"deepep-ep{members}-{way}"], rel=0.15)


def test_the_ring_formula_would_be_far_too_fast_across_nodes():
    """Eight cards of a node shared by a ring would exceed what DeepEP measured several times over."""
    wire = physics.group_bandwidth(64, 1, 160e9, 50e9, 8)
    seconds, (across, _) = exchange(1.0, 8, 64, 8, 160e9, 50e9, limit=4)
    assert seconds == pytest.approx(float(across) / 50e9)
    assert wire > 3 * 50e9


@given(st.integers(1, 16), st.integers(1, 64), st.booleans())
def test_inside_a_node_an_exchange_is_flat_and_needs_no_network(choices, members, grouped):
    seconds, (across, _) = exchange(1e6, choices, members, 64, 200e9, 1.0, grouped=grouped)
    assert across == 0
    flat = physics.all_to_all_seconds(1e6 * choices, members, 200e9)
    if grouped:  # two experts on one chip need one copy
        assert seconds <= flat * (1 + 1e-9)
    else:
        assert seconds == pytest.approx(float(flat))


@given(st.integers(1, 16), st.sampled_from([8, 16, 32, 64, 256]), st.integers(0, 8))
def test_grouping_and_a_limit_on_nodes_never_send_more(choices, members, limit):
    plain = physics.expert_copies(choices, members, 8, 0, False)
    grouped = physics.expert_copies(choices, members, 8, 0, True)
    limited = physics.expert_copies(choices, members, 8, limit, True)
    assert limited[0] <= grouped[0] + 1e-9 <= plain[0] + 2e-9
    assert grouped[0] <= members / 8


def test_different_nodes_of_random_choices():
    """Counted by hand: two choices of two places meet half of the time; simulated for eight of eight."""
    assert physics.distinct_places(2, 2) == 1.5
    assert physics.distinct_places(5, 1) == 1
    drawn = np.random.default_rng(0).integers(0, 8, (20_000, 8))
    mean = np.mean([len(set(row)) for row in drawn.tolist()])
    assert physics.distinct_places(8, 8) == pytest.approx(mean, rel=0.01)


def test_bus_bandwidth_is_all_reduce_without_its_factor():
    """nccl-tests: 367.2 GB/s on eight H200 means that 16 GiB took 2 * 7/8 * 16 GiB / 367.2 GB/s."""
    seconds = physics.all_reduce_seconds(16 * GIB, 8, 367.2e9)
    assert 16 * GIB / seconds * 2 * 7 / 8 == pytest.approx(367.2e9)
    gather = physics.all_gather_seconds(16 * GIB, 8, 361.4e9)
    assert 2 * gather == pytest.approx(seconds * 367.2 / 361.4)


def test_the_worked_example_of_four_nodes():
    """ML Engineering: 4 GiB on 4 nodes of 8 took 22.05 ms; 20.8 flat, 16.1 to 26.3 hierarchical."""
    size, cards = 4 * GIB, 50e9
    flat = physics.all_reduce_seconds(size, 32, physics.group_bandwidth(32, 1, 900e9, cards, 8))
    assert flat * 1e3 == pytest.approx(20.8, abs=0.05)
    inner = physics.hierarchical_all_reduce_seconds(size, 8, 4, np.array([1e18, 740.64e9]), cards)
    assert inner * 1e3 == pytest.approx([16.1, 26.25], abs=0.1)
    assert inner[0] < 22.05e-3 < inner[1]
    assert flat < 22.05e-3


def test_a_group_uses_the_cards_of_its_members():
    between = physics.group_bandwidth(np.array([8, 16, 16, 16]), np.array([1, 1, 2, 8]), 450e9, 50e9, 8)
    assert between.tolist() == [450e9, 400e9, 200e9, 50e9]
    assert physics.group_bandwidth(64, 1, 300e9, 50e9, 8) == 300e9  # never more than the inner link


def test_attention_operations():
    assert physics.attention_flops(1, 10, 3, False) == 120
    assert physics.attention_flops(1, 10, 3) == 60


def test_a_large_product_is_bound_by_arithmetic_and_a_thin_one_by_memory():
    rate, bandwidth = 312e12, 2.039e12
    large = physics.matmul_seconds(16384, 16384, 16384, rate, bandwidth)
    assert large == pytest.approx(2 * 16384**3 / rate, rel=0.03)
    thin = physics.matmul_seconds(1, 16384, 16384, rate, bandwidth)
    assert thin == pytest.approx(2 * 16384**2 / bandwidth, rel=0.02)


@given(st.integers(1, 64), st.integers(1, 512))
def test_the_bubble_is_what_equation_1_of_sc21_leaves(stages, micro_batches):
    ideal = micro_batches * 3.0
    whole = physics.pipeline_seconds(1.0, 2.0, stages, micro_batches)
    assert whole == pytest.approx(ideal * (1 + physics.bubble_share(stages, micro_batches)))
    assert physics.bubble_share(stages, micro_batches, 4) * 4 == pytest.approx(
        physics.bubble_share(stages, micro_batches)
    )


@given(st.floats(0, 1e3), st.floats(0, 1e3), st.floats(0, 1))
def test_covered_work_costs_between_nothing_and_itself(covering, hidden, leak):
    shown = float(physics.exposed_seconds(covering, hidden, leak))
    assert -1e-9 <= shown <= hidden + 1e-9
    assert shown >= hidden - covering - 1e-9


@given(st.integers(1, 200), st.integers(1, 64), st.floats(0, 10), st.floats(0, 10))
def test_the_slowest_stage_is_never_faster_than_the_mean(layers, stages, layer, head):
    slowest = float(physics.slowest_stage(layers, stages, layer, head))
    assert slowest >= (layers * layer + head) / stages - 1e-9
    if stages == 1:
        assert slowest == pytest.approx(layers * layer + head)


def test_a_layer_less_on_the_last_stage_pays_for_the_loss():
    """Llama 3 took one layer from the first and the last stage (section 3.3.2): 126 layers on 16 stages."""
    even = physics.slowest_stage(128, 16, 1.0, 1.0)
    assert even == 9
    assert physics.slowest_stage(126, 16, 1.0, 1.0) == 8


def test_power_below_the_nominal_one_slows_and_above_it_does_not():
    assert physics.power_factor(500, 700, 0.5) == pytest.approx((5 / 7) ** 0.5)
    assert physics.power_factor(900, 700, 0.5) == 1


def test_messages_of_one_chip_take_no_time():
    for collective in (physics.all_reduce_seconds, physics.all_gather_seconds, physics.all_to_all_seconds):
        assert collective(1e9, 1, 1e9, 1e-3) == 0
