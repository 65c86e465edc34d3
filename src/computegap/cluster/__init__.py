"""Training on several workers at once: processes that talk to one another, for real and in formulas.

Chapter 7. ``launch`` starts a program on several workers from a notebook, by torch's own torchrun, and ends
every process of it; ``records`` is how workers report and ``worker`` joins them. ``train`` is the program
that the chapters run, ``checkpoint`` saves and restores it, ``timeline`` says where each worker's time went.
``collectives``, ``pipeline`` and ``stragglers`` hold the formulas, ``collective_bench``, ``pipeline_bench``,
``straggler_bench`` and ``overlap_bench`` are programs that measure what the formulas predict.

Chapter 8. ``link`` slows this machine's own wires down; ``low_communication`` and the program ``slow_link``
train across them, ``wide_area`` asks how far apart two data centres can be.

Chapter 9. ``physics``, ``calibration`` and ``step_time`` are the model of a training step, ``published_runs``
and ``judge`` what it is judged on, ``layouts`` sweeps over many clusters. ``failures`` says what breaks,
``equivalents`` and ``supernodes`` how many chips it takes, ``bills`` and ``hours`` for how much and how long.

Nothing here is imported before it is asked for, so that a page that only needs a formula doesn't wait for
torch.
"""
