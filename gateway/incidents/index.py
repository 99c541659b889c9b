"""The incident of an aggregate, answered at once, so that features stamp their events."""

from collections import OrderedDict


class IncidentIndex:
    """Remembers the latest *limit* links; the store knows all of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._incidents: OrderedDict[str, str] = OrderedDict()

    def incident_of(self, aggregate: str) -> str | None:
        """Return the incident that *aggregate* (``call:<id>``) belongs to: the value of ``Happening.incident``."""
        return self._incidents.get(aggregate)

    def put(self, aggregate: str, incident: str) -> None:
        """Remember a link, forgetting the oldest above the limit."""
        self._incidents[aggregate] = incident
        self._incidents.move_to_end(aggregate)
        while len(self._incidents) > self._limit:
            self._incidents.popitem(last=False)
