"""What the page shows: explorables, figure style, predictions, quizzes, exercises, and numbers in prose.

A chapter starts with ``from computegap import book`` or ``from computegap.book import start, explore, ...``.
"""

from .claims import claims_table
from .exercises import check_exercise
from .numbers import check, fill, number, publish, publish_fact, publish_range, publish_text, say
from .session import granted_cores, start
from .teaching import Answer, opening, predict, quiz

# The function `explore` takes the place of the subpackage of its name; it stays importable by its path.
from .explore import Choice, Play, Slider, Toggle, explore, show  # isort: skip

__all__ = [
    "Answer",
    "Choice",
    "Play",
    "Slider",
    "Toggle",
    "check",
    "check_exercise",
    "claims_table",
    "explore",
    "fill",
    "granted_cores",
    "number",
    "opening",
    "predict",
    "publish",
    "publish_fact",
    "publish_range",
    "publish_text",
    "quiz",
    "say",
    "show",
    "start",
]
