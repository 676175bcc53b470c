"""pool.py: calls of an empty function by a pool of gevent's without a limit.

Usage: python3 pool.py [COUNT]
"""

from time import process_time

from gevent.pool import Pool
from measure import argument, print_each

count = argument(1, 100000)
pool = Pool()


def empty(_):
    pass


start = process_time()
for _ in range(10):
    pool.map(empty, range(count // 10))
print_each("map_unlimited", process_time() - start, count // 10 * 10, "ns")
