"""The simulator's choice of tools: which of the offered ones a cooperative model would call, from the texts alone."""

from understudy.engines.simulator.choosing.choosing import choose as choose
from understudy.engines.simulator.choosing.situation import Choice as Choice
from understudy.engines.simulator.choosing.situation import Situation as Situation
