"""spawn_join.py: a greenlet of gevent with an empty new closure, and its join.

Usage: python3 spawn_join.py [COUNT]
"""

from time import process_time

import gevent
from measure import argument, print_each

count = argument(1, 100000)


def run():
    for _ in range(count):
        gevent.spawn(lambda: None).join()


start = process_time()
run()
print_each("spawn", process_time() - start, count, "ns")
