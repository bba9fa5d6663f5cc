"""What reads films: the bundles, the readers of those that are loaded, a bounded queue, and its threads."""

from pneumoscope.web.engine.bundles import Bundles, Known
from pneumoscope.web.engine.choice import Choice
from pneumoscope.web.engine.engine import Engine, QueueFull
from pneumoscope.web.engine.job import Film, Outcome

__all__ = ["Bundles", "Choice", "Engine", "Film", "Known", "Outcome", "QueueFull"]
