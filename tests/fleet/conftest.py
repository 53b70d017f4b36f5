from fleet.nats_servers import nats, three_nats

__all__ = ["nats", "three_nats"]
