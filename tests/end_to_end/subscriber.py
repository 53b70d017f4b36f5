"""A subscriber of its own, with nothing of ours in it: Eclipse Paho, in a thread."""

from contextlib import contextmanager

from arrivals import Arrivals
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from stream_match.events import from_json

RETRY_S = 0.05
FENCE = "fence"


class Subscriber(Arrivals):
    """Everything that is published; `items` are (topic, payload)."""

    def match_events(self):
        """The match events in the order in which they came, repetitions included."""
        return [from_json(payload) for topic, payload in self.items if topic.endswith("/match")]

    def ids(self):
        """The ids of the match events, without repetitions."""
        return list(dict.fromkeys(event.event_id for event in self.match_events()))

    def settle(self):
        """Wait until the broker has answered everybody whose messages came before: it works in turns."""
        before = sum(topic == FENCE for topic, _ in self.items)
        self.publish(FENCE, "", qos=1)
        self.until(lambda items: sum(topic == FENCE for topic, _ in items) > before, "our own word")

    def last(self, topic):
        """The last payload on a topic below the base; None if there was none."""
        told = [payload for name, payload in self.items if name == f"stream_match/{topic}"]
        return told[-1] if told else None


@contextmanager
def subscribed(port, client_id="ear"):
    """Hear everything on a broker, also what it kept for `client_id` while there was no connection."""
    subscriber = Subscriber()
    client = Client(CallbackAPIVersion.VERSION2, client_id, clean_session=False)
    ready = Arrivals()

    def on_connect(*_):
        client.subscribe("#", qos=1)

    def on_subscribe(*_):
        ready.add("subscribed")

    def on_message(_, __, message):
        subscriber.add((message.topic, message.payload.decode()))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.reconnect_delay_set(RETRY_S, RETRY_S)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        ready.until(bool)
        subscriber.publish = client.publish
        yield subscriber
    finally:
        client.disconnect()
        client.loop_stop()
