"""turn.py: greenlets of gevent that take turns by sleep(0).

Usage: python3 turn.py [GREENLETS [ROUNDS]]
"""

from time import process_time

import gevent
from measure import argument, print_each

count = argument(1, 2)
rounds = argument(2, max(1, 500000 // count))


def body():
    sleep = gevent.sleep
    for _ in range(rounds + 1):
        sleep(0)


greenlets = [gevent.spawn(body) for _ in range(count)]
gevent.sleep(0)

start = process_time()
gevent.joinall(greenlets)
print_each("turn", process_time() - start, count * rounds, "ns")
