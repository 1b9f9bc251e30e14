#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Time two commands beside each other: one table row for bench/run.sh.

    bench/pair.py [options] WHAT -- OURS... -- BESIDE...

The two run in turn, so that what else the machine does meets both. Shown are
the medians, the median of the ratios of each pair (above 1: ours is quicker),
and behind that ours and the ratio again, in CPU time: user and system with all
children, which other load disturbs less.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time


class Run:
    def __init__(self, command, says):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            start = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=err)
            _, status, used = os.wait4(process.pid, 0)
            self.wall = time.perf_counter() - start
            self.cpu = used.ru_utime + used.ru_stime
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                err.seek(0)
                sys.stderr.buffer.write(err.read())
                sys.exit(f"{' '.join(command)}: {process.returncode}")
            if says:
                out.seek(0)
                self.wall = float(out.read().split()[-1])


def in_units(figure, units):
    for unit in units[:-1]:
        if abs(figure) < 999.5:
            return f"{figure:.3g}{unit}"
        figure /= 1000
    return f"{figure:.3g}{units[-1]}"


def show(seconds, args):
    if args.rate:
        return in_units(args.count / seconds, ["/s", " k/s", " M/s"])
    return in_units(seconds / args.count * 1e6, [" us", " ms", " s"])


def middle(pairs, which):
    return statistics.median(pair[which] for pair in pairs)


def compare(pairs, args):
    if args.more:
        more = statistics.median(a - b for a, b in pairs)
        return show(more, args) + " more"
    return f"{statistics.median(b / a for a, b in pairs):.3g}"


def parse():
    words = sys.argv[1:]
    commands = []
    while "--" in words:
        at = len(words) - 1 - words[::-1].index("--")
        commands.insert(0, words[at + 1:])
        words = words[:at]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--count", type=int, default=1,
                        help="a run does this many things")
    parser.add_argument("--rate", action="store_true",
                        help="show things a second, not the time of one")
    parser.add_argument("--more", action="store_true",
                        help="show how much longer ours takes, not the ratio")
    parser.add_argument("--says", action="store_true",
                        help="the last word that BESIDE prints is its seconds")
    parser.add_argument("--aim", default="")
    args = parser.parse_args(words)
    if len(commands) != 2:
        parser.error("two commands, each behind --")
    return args, commands


def main():
    args, (ours, beside) = parse()
    Run(ours, False)  # once for the caches
    Run(beside, args.says)
    pairs = [(Run(ours, False), Run(beside, args.says))
             for _ in range(args.runs)]
    walls = [(a.wall, b.wall) for a, b in pairs]
    cpus = [(a.cpu, b.cpu) for a, b in pairs]
    print(args.what, show(middle(walls, 0), args), show(middle(walls, 1), args),
          compare(walls, args), show(middle(cpus, 0), args),
          "" if args.says else compare(cpus, args), args.aim, sep="\t")


if __name__ == "__main__":
    main()
