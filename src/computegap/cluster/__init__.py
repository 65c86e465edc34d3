"""Training on several workers at once: processes that talk to one another, for real and in formulas.

``launch`` starts a program on several workers from a notebook, by torch's own torchrun, and ends every
process of it; ``records`` is how workers report; ``worker`` joins them. ``train`` is the program that the
chapters run, ``checkpoint`` saves and restores it, ``timeline`` says where each worker's time went.

Nothing here is imported before it is asked for, so that a page that only needs a formula doesn't wait for
torch.
"""
