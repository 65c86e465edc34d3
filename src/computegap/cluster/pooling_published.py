"""Published numbers about collectives and pipelines, beside what the formulas of chapter 7 give.

Rows that differ stay: they show what the formula leaves out.
Taught in chapter 7.
"""

from __future__ import annotations

from computegap import facts
from computegap.cluster import collectives, published_runs
from computegap.cluster.collectives import Link
from computegap.facts.comparison import Comparison

#: The worked example: its payload, accelerators in a node, nodes, and bytes/s of a network port.
EXAMPLE = {"size": 4 * 2.0**30, "per_node": 8, "nodes": 4, "port": 50e9}


def sweep(nodes: int) -> list[tuple[float, float]]:
    """Published all-reduces on one or four nodes of eight B200: pairs of (bytes, seconds), smallest first.

    The source prints bus bandwidths; the times follow by the factor of NCCL's tests.

    Raises
    ------
    LookupError
        If there is no sweep over that many nodes.
    """
    rows = facts.collectives("all-reduce", item="B200", metric="by size", nodes=nodes)
    return sorted(
        (
            float(row.given["size"]),
            collectives.seconds_from_bus_bandwidth(
                "all_reduce", float(row.given["size"]), row.value * 1e9, int(row.given["ranks"])
            ),
        )
        for row in rows
    )


def all_reduces() -> list[Comparison]:
    """The worked example of four B200 nodes, by its own arithmetic and by the clock."""
    size, port = EXAMPLE["size"], EXAMPLE["port"]
    per_node, nodes = int(EXAMPLE["per_node"]), int(EXAMPLE["nodes"])
    found = {row.key.removeprefix("b200-example-"): row for row in facts.collectives(item="worked example")}
    source = "ml-engineering"
    flat = collectives.ring_all_reduce(size, per_node * nodes, Link(0, per_node * port))
    alone = dict(sweep(1))[
        size
    ]  # the whole all-reduce inside a node; its two halves frame the one between nodes
    between = collectives.ring_all_reduce(size / per_node, nodes, Link(0, port))
    reported = facts.fact("b200-all-reduce-4x8-4gib")
    seconds = collectives.seconds_from_bus_bandwidth(
        "all_reduce", size, reported.value * 1e9, per_node * nodes
    )
    naive, measured = 1e3 * size / port, found["measured"].range
    phases = 1e3 * between, 1e3 * (between + alone)
    return [
        _times(source, "4 GiB on 4 nodes, through one port of each, ms", found["naive"].range, naive),
        _times(source, "the same, one ring over all ports, ms", found["flat"].range, 1e3 * flat),
        _times(source, "the same, node by node, ms", found["hierarchical"].range, phases),
        _times(source, "the same, measured, ms; ours: node by node", measured, phases),
        _times("nccl-tests", "the same, from its bus bandwidth, ms", measured, 1e3 * seconds),
    ]


def _times(
    source: str, what: str, published: tuple[float, float], ours: float | tuple[float, float]
) -> Comparison:
    ends = ours if isinstance(ours, tuple) else (ours, ours)
    return Comparison(source, what, published, ends, 0.005, ".1f")


def _bubbles(row: dict[str, str], chunks: tuple[float, ...]) -> tuple[float, ...]:
    """Idle over useful time of a run's pipeline, for possible numbers of stages a device."""
    microbatches = float(row["global_batch"]) / float(row["dp"]) / float(row["micro_batch"])
    return tuple((float(row["pp"]) - 1) / (count * microbatches) for count in chunks)


def pipelines() -> list[Comparison]:
    """How much slower each accelerator gets as a run is spread over more, and what the bubble explains of it.

    A published pair of runs differs in the number of replicas alone, so that each pipeline has fewer
    microbatches to fill itself with. Ours is the ratio of speeds that follows from the bubble by itself.
    """
    runs = published_runs.load()
    by_name = {
        str(name): (row, float(s)) for name, row, s in zip(runs.names, runs.rows, runs.seconds, strict=True)
    }
    pairs = [
        ("Narayanan et al. (SC21)", "GPT-3 175B", "sc21t2_07", "sc21t2_09", (1.0,)),
        ("Narayanan et al. (SC21)", "530B", "sc21t2_10", "sc21t2_11", (1.0,)),
        ("Narayanan et al. (SC21)", "530B", "sc21t2_10", "sc21t2_12", (1.0,)),
        ("MegaScale", "175B", "megascale_megascale_256", "megascale_megascale_1024", (6.0,)),
        ("MegaScale", "175B", "megascale_megascale_3072", "megascale_megascale_12288", (6.0,)),
        ("Llama 3", "405B", "llama3_405b_8192_s8192", "llama3_405b_16384_s8192", (1.0, 8.0)),
    ]
    rows = []
    for source, model, small, large, chunks in pairs:
        (few, slow), (many, fast) = by_name[small], by_name[large]
        kept = (slow * float(few["n_accel"])) / (fast * float(many["n_accel"]))
        before, after = _bubbles(few, chunks), _bubbles(many, chunks)
        ours = sorted((1 + a) / (1 + b) for a, b in zip(before, after, strict=True))
        what = (
            f"{model}, {int(float(few['n_accel'])):,} to {int(float(many['n_accel'])):,} accelerators: "
            "speed of each that is left, %"
        )
        speeds = (100 * kept, 100 * kept), (100 * ours[0], 100 * ours[-1])
        rows.append(Comparison(source, what, *speeds, 0.015, ".1f"))
    return rows
