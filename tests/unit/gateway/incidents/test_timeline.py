"""The timeline on the real store: the journal answers."""

import json

from gateway.core.clock import ManualClock
from gateway.core.events import Happening
from gateway.incidents.events import IncidentNoted
from gateway.incidents.options import IncidentOptions
from gateway.incidents.service import IncidentService
from gateway.principals.model import SYSTEM
