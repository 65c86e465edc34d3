"""Chips as the book needs them: rooflines, dies and their cost, production, export rules over data sheets.

``roofline``, ``wafer``, ``cost``, ``capacity`` and ``this_machine`` belong to chapter 2 (what a chipmaker
without EUV can build); ``export_rules``, ``compliant`` and ``workloads`` to chapter 1 (what may not be sold).
"""
