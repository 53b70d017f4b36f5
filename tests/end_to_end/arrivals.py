"""What arrives from elsewhere, and waiting for it: for events, never for clocks."""

import threading

WAIT_S = 40  # a limit for what is broken, never a waiting time for what works


class Arrivals:
    """A list that another thread appends to."""

    def __init__(self):
        self.items = []
        self._changed = threading.Condition()
        self._over = False

    def add(self, item):
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def end(self):
        """Say that nothing more comes."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def until(self, wanted, what=""):
        """Wait until `wanted(items)` is true; return the items."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or wanted(self.items), WAIT_S)
            assert wanted(self.items), f"waited in vain for {what or wanted}: {self.items}"
            return list(self.items)
