"""sleepers.py: very many greenlets of gevent that sleep, for 1,000 different times.

Usage: python3 sleepers.py [COUNT]
"""

from time import process_time

import gevent
from measure import argument, print_each

count = argument(1, 100000)
woken = 0


def body(seconds):
    global woken
    gevent.sleep(seconds)
    woken += 1


start = process_time()
for i in range(1, count + 1):
    gevent.spawn(body, 0.5 + i * 379 % 1000 / 1000)
gevent.wait()
used = process_time() - start
assert woken == count
print_each("sleeper", used, count, "us")
