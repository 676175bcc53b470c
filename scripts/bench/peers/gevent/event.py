"""event.py: greenlets of gevent that wait for an event, until all have ended.

Usage: python3 event.py [ROUNDS [WAITERS]]     (ROUNDS: as greenlua's, and not used)
"""

from time import process_time

import gevent
from gevent.event import Event
from measure import argument, print_each

count = argument(2, 10000)
best = None
for _ in range(5):
    event = Event()
    waiters = [gevent.spawn(event.wait) for _ in range(count)]
    start = process_time()
    gevent.sleep(0)  # they wait
    event.set()
    waiters[-1].join()
    used = process_time() - start
    best = used if best is None else min(best, used)
    gevent.joinall(waiters)
print_each("wake", best, count, "ns")
