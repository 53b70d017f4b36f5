"""Where work is done: engines have threads of their own."""

import asyncio
import os
import threading

from stream_match.service.world import World


def test_writes_that_hang_hold_no_engine_back():
    async def scenario():
        world, disk_is_back = World(), threading.Event()
        writes = [asyncio.ensure_future(world.store(disk_is_back.wait)) for _ in range(2 + os.cpu_count())]
        try:
            await asyncio.sleep(0)  # all of them have begun to wait
            return await asyncio.wait_for(world.offload(threading.current_thread), 20)
        finally:
            disk_is_back.set()
            await asyncio.gather(*writes)

    assert asyncio.run(scenario()).name.startswith("engine")
