"""What the benchmark programs for gevent share."""

import sys


def argument(i, default):
    """The program's argument number i, a whole number; default when it is not given."""
    return int(sys.argv[i]) if len(sys.argv) > i else default


def resident_bytes():
    """The resident memory of the process (VmRSS)."""
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024


def print_figure(name, value, unit):
    digits = {"ns": 1, "us": 2}.get(unit, 0)
    print(f"{name} {value:.{digits}f} {unit}")


def print_each(name, seconds, count, unit):
    """Print a time each; unit is ns or us."""
    print_figure(name, seconds / count * {"ns": 1e9, "us": 1e6}[unit], unit)
