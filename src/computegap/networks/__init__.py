"""The small networks that the book trains, and the number formats that they are trained in.

``text`` gives the data (prose that ships with Python), ``language_model`` a tiny transformer, ``stack``
trains several seeds of it at once, ``formats`` holds number formats and scaling, and ``low_precision`` puts
them together: the same training in BF16, FP8 and INT8. Taught in chapter 2.
"""
