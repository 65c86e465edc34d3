"""Seeds, budget, FLOP meter, recorder, progress."""

import numpy as np
import pytest
import torch

from computegap.experiment import (
    Budget,
    FlopMeter,
    Recorder,
    Timer,
    generator,
    measure_flops,
    progress,
    seeds,
    set_seed,
    threads,
    versions,
)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_seeds_are_distinct_and_stable():
    assert seeds(8) == seeds(8)
    assert seeds(8)[:4] == seeds(4)
    assert len(set(seeds(100)) | set(seeds(100, base=1))) == 200
    assert all(0 <= seed < 2**31 for seed in seeds(100))


def test_bad_seed_requests_are_refused():
    with pytest.raises(ValueError, match="1 or more"):
        seeds(0)
    with pytest.raises(ValueError, match="zero or more"):
        seeds(1, base=-1)


def test_set_seed_repeats_every_library():
    set_seed(5)
    first = (np.random.rand(), torch.rand(1).item())
    set_seed(5)
    assert (np.random.rand(), torch.rand(1).item()) == first


def test_own_generator_disturbs_nothing():
    set_seed(1)
    expected = torch.rand(1)
    set_seed(1)
    torch.rand(10, generator=generator(3))
    assert torch.equal(torch.rand(1), expected)


def test_versions_name_what_matters():
    assert versions()["torch"] == torch.__version__
    assert int(versions()["cores"]) >= 1


def test_threads_are_given_back_even_after_an_error():
    before = torch.get_num_threads()
    seen = []

    def fail():
        with threads(before + 1):
            seen.append(torch.get_num_threads())
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert seen == [before + 1]
    assert torch.get_num_threads() == before
    with pytest.raises(ValueError, match="one thread or more"), threads(0):
        pass


def test_budget_stops_before_the_time_is_over():
    clock = Clock()
    budget = Budget(10, clock)
    done = []
    for step in budget.steps(100):
        clock.now += 3
        done.append(step)
    assert done == [0, 1, 2]
    assert budget.spent <= budget.seconds
    assert budget.left == pytest.approx(1)


def test_budget_runs_once_even_if_it_is_over():
    clock = Clock()
    budget = Budget(1, clock)
    clock.now = 5
    assert list(budget.steps(3)) == [0]
    assert budget.left == 0


def test_budget_with_time_runs_all():
    assert list(Budget(60, Clock()).steps(4)) == [0, 1, 2, 3]


def test_bad_budgets_are_refused():
    with pytest.raises(ValueError, match="positive seconds"):
        Budget(0)
    with pytest.raises(ValueError, match="1 or more"):
        list(Budget(1).steps(0))


def test_timer_measures():
    with Timer() as timer:
        sum(range(1000))
    assert timer.seconds > 0


def test_flops_of_a_matrix_product():
    a, b = torch.ones(8, 16), torch.ones(16, 4)
    assert measure_flops(lambda: a @ b) == 2 * 8 * 16 * 4


def test_backward_costs_twice_the_forward():
    layer, x = torch.nn.Linear(32, 32, bias=False), torch.ones(8, 32, requires_grad=True)
    forward = measure_flops(lambda: layer(x))
    with FlopMeter() as meter:
        layer(x).sum().backward()
    assert meter.flops == 3 * forward


def test_recorder_gives_columns_and_copies():
    recorder, array = Recorder(), np.zeros(2)
    for step in range(3):
        array += step
        recorder.add(step=step, loss=array)
    assert recorder["loss"].shape == (3, 2)
    assert recorder["loss"][:, 0].tolist() == [0, 1, 3]
    assert len(recorder) == 3
    assert recorder.names == ["step", "loss"]


def test_recorder_refuses_odd_rows_and_unknown_names():
    recorder = Recorder()
    recorder.add(step=0, loss=1.0)
    with pytest.raises(ValueError, match="the rows before it"):
        recorder.add(step=1)
    with pytest.raises(ValueError, match="one named value"):
        Recorder().add()
    with pytest.raises(LookupError, match="there are: step, loss"):
        recorder["lose"]


def test_progress_passes_everything_through_in_silence(monkeypatch, capsys):
    monkeypatch.setenv("COMPUTEGAP_SITE", "1")
    assert list(progress(range(5), "training")) == [0, 1, 2, 3, 4]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")
