#!/usr/bin/env python3
# SPDX-License-Identifier: MPL-2.0
"""Time two commands beside each other: one table row for bench/run.sh.

    bench/pair.py [options] WHAT -- OURS... -- BESIDE...

The two run in turn, so that what else the machine does meets both; shown are
the medians and the median of the ratios of each pair. --count N says that a
run does N things; then figures are rates (--rate) or microseconds a thing.
"""
import argparse
import os
import statistics
import subprocess
import sys
import time


def once(command):
    start = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.stderr.buffer.write(done.stderr)
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}")
    return seconds


def show(seconds, count, rate):
    if rate:
        figure, units = count / seconds, ["/s", " k/s", " M/s"]
    else:
        figure, units = seconds / count * 1e6, [" us", " ms", " s"]
    for unit in units[:-1]:
        if figure < 1000:
            return f"{figure:.3g}{unit}"
        figure /= 1000
    return f"{figure:.3g}{units[-1]}"


def main():
    words = sys.argv[1:]
    commands = []
    while "--" in words:
        at = len(words) - 1 - words[::-1].index("--")
        commands.insert(0, words[at + 1:])
        words = words[:at]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--rate", action="store_true")
    parser.add_argument("--aim", default="")
    args = parser.parse_args(words)
    if len(commands) != 2:
        parser.error("two commands, each behind --")

    for command in commands:  # once for the caches
        once(command)
    pairs = [(once(commands[0]), once(commands[1])) for _ in range(args.runs)]
    ours, beside = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(b / a for a, b in pairs)
    print(args.what, show(ours, args.count, args.rate),
          show(beside, args.count, args.rate), f"{ratio:.2f}", args.aim,
          sep="\t")


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    main()
