"""Every write of the honours room, by the file that explains it."""

from zhili.honours.goals import add_goal, end_goal, record_reached
from zhili.honours.lists import draft_list, drop, publish, record_resolution, strike_off
from zhili.honours.schemes import add_priority, add_scheme, end_priority, end_scheme

__all__ = [
    "add_goal",
    "add_priority",
    "add_scheme",
    "draft_list",
    "drop",
    "end_goal",
    "end_priority",
    "end_scheme",
    "publish",
    "record_reached",
    "record_resolution",
    "strike_off",
]
