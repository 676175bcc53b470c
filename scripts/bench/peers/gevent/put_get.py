"""put_get.py: an item put into a queue of gevent's and got out of it, where nobody waits.

Usage: python3 put_get.py [COUNT]
"""

from time import process_time

from gevent.queue import Queue
from measure import argument, print_each

count = argument(1, 500000)
queue = Queue()
start = process_time()
for i in range(count):
    queue.put(i)
    queue.get()
print_each("queue", process_time() - start, count, "ns")
