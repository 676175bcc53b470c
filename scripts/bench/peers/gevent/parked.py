"""parked.py: very many greenlets of gevent that wait for an event, which is then set.

Usage: python3 parked.py [COUNT]
"""

import gc
from time import process_time

import gevent
from gevent.event import Event
from measure import argument, print_each, print_figure, resident_bytes

count = argument(1, 100000)
greenlets = [None] * count


def spawn(gate):
    start = process_time()
    for i in range(count):
        greenlets[i] = gevent.spawn(gate.wait)
    gevent.sleep(0)
    return process_time() - start


def wake(gate):
    start = process_time()
    gate.set()
    gevent.joinall(greenlets)
    return process_time() - start


gc.collect()
before = resident_bytes()
gate = Event()
spawned = spawn(gate)
gc.collect()
each = (resident_bytes() - before) / count
wake(gate)

print_figure("tasks", count, "n")
print_figure("bytes", each, "B")
print_each("spawn", spawned, count, "ns")
gate = Event()
print_each("respawn", spawn(gate), count, "ns")
print_each("wake", wake(gate), count, "ns")
