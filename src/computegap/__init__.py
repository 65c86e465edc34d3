"""The Compute Gap: the tested package behind the book.

Arrows point one way: chapters use :mod:`computegap.book` and the topics; topics use
:mod:`computegap.networks` and :mod:`computegap.experiment`; all of them read
:mod:`computegap.facts`. No topic knows about notebooks or pages.
"""

__version__ = "0.1.0"
