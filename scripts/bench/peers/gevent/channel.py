"""channel.py: a value handed over from one greenlet of gevent to another by a Channel.

Usage: python3 channel.py [COUNT]
"""

from time import process_time

import gevent
from gevent.queue import Channel
from measure import argument, print_each

count = argument(1, 200000)
channel = Channel()


def putter():
    for i in range(count):
        channel.put(i)


def getter():
    for i in range(count):
        assert channel.get() == i


start = process_time()
gevent.joinall([gevent.spawn(putter), gevent.spawn(getter)])
print_each("channel", process_time() - start, count, "ns")
